"""Repositories: all SQL of the memory. Functions run in the transaction of the caller's connection and never commit."""
