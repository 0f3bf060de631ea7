"""Alignment of misread page text with its messages, under simulated misreadings."""
