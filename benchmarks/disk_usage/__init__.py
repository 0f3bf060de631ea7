"""Disk usage of a bank: bits per character of a vacuumed SQLite file, by part and tier."""
