"""Fuzzing of the native codec's kernel under sanitizers."""
