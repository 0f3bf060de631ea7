"""Reranking: reorders the best matches of recall with a model that reads question and text together."""
