"""Backups of a whole database in one file, and databases restored from them."""
