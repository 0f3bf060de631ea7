"""Benchmarks of recall, storage and the service, and the figures of the documentation. Not shipped in the wheel."""
