"""What a sealed page holds, and how it is read."""
