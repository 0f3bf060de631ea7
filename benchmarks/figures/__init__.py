"""Figures of the documentation: measures them, writes the tables, and draws the pictures."""
