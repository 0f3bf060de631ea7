"""Shared parts of the framework integrations: tested versions, exact JSON, call sequences, transcripts."""
