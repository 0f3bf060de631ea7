"""Evidence recall of Foxing and of common alternatives, with the same embedder and budget."""
