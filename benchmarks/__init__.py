"""Benchmarks of recall, of a bank and of the service. Not part of the installed package."""
