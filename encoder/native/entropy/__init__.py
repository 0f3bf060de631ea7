"""Entropy coding of recognised pages: symbols, prior, range coder, and packing into vision tokens."""
