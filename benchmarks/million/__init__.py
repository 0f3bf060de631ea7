"""Recall from a bank of a million messages."""
