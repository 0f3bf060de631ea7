"""Benchmark of how well the relevance of recall tells answers from noise."""
