"""What the network is trained to read: strips of text, synthetic text, and faded pages."""
