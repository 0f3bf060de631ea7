"""Codecs over vision–language models run by transformers: they store a model's own vision tokens and decode them later
without running its encoder again."""
