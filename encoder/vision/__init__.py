"""Codecs over vision–language models that transformers can run: their own vision tokens are stored, and decoded later
without running the encoder again."""
