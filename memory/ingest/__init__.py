"""Storing, importing and sealing messages."""
