"""Outbox: messages that a process must still bring to a bank wait in a file, and are delivered in order, each once."""
