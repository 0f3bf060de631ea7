"""Training text: strips of corpora, synthetic text, and faded pages."""
