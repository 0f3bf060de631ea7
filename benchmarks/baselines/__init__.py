"""Recall beside what people use instead, with the same embedder and the same budget."""
