"""Folding: the older history of a conversation as one message of text and page images, the same bytes at every call."""
