"""Lexical search: which messages contain which words, and how well they match a question."""
