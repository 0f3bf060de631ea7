"""Importers of conversation files."""
