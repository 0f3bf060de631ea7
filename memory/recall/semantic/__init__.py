"""Semantic search: embedders, the codes of embeddings in the database, and the search over them."""
