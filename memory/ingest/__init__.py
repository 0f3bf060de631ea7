"""Storing, importing and sealing of messages."""
