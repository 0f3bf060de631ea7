"""Deterministic simulation: years of banks from a seed, with faults, held against a model."""
