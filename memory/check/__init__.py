"""Consistency check of a database: everything can be read and agrees with the rest. Repairs derived data."""
