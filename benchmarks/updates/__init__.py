"""Benchmark of statements that replace each other: newest first, unless the past is asked for."""
