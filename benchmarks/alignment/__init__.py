"""Readings that are wrong in the ways in which models are, and whether their text lands on the right message."""
