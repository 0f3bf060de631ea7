"""Clients of the service, and what lets agent frameworks use Foxing as their memory. Each needs its own extra."""
