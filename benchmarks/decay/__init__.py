"""Benchmark of what a memory still answers of conversations that are up to a year old."""
