"""What a memory tells those who watch how it works."""
