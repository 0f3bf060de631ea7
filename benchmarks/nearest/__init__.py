"""Nearest neighbours among codes of embeddings."""
