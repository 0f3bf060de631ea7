"""Stored pages: their contents, decoding them on demand, and the messages read from them."""
