"""Sealed messages: they are stored by the page, in its manifest, and found through narrow tables."""
