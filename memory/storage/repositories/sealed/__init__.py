"""Sealed messages: they are stored by the page, in its directory, and found through narrow tables."""
