"""Sealed messages, which are stored per page in its manifest and found through narrow index tables.

`lookup` reads and filters them, `changes` writes and removes them.
"""
