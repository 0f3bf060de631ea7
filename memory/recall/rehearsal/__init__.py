"""Rehearsal: what recall finds is worth more, and fades later."""
