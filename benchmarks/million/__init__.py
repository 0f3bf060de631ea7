"""Latency of recall in a bank of a million messages."""
