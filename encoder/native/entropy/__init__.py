"""Entropy coding of what the encoder read: symbols, prior, range coder and their packing into vision tokens."""
