"""Checking a database: whether everything in it can be read and agrees with the rest, and repairing what can be."""
