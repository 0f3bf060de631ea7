"""Backup of a complete database to one file, and restore."""
