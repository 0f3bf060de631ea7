"""Codecs over vision–language models in transformers. They store a model's own vision tokens, and decode them later
without running the encoder again."""
