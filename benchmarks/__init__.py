"""Benchmarks of recall, of a bank and of the service, and the figures of the documentation. Not in the wheel."""
