"""Fits the relevance of recall on questions made by rule from dialogues."""
