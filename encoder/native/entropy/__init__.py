"""Entropy coding of recognised pages: symbols, prior, range coder and stream format."""
