"""Generators of the reference pages, one per page."""
