"""Evidence recall of context per billed token, by reader and budget."""
