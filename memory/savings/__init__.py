"""Savings: what calls of models were billed, and what they would have been without folding."""
