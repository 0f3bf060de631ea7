"""Outbox: what a process must still bring to a bank waits in a file, and is delivered in order, each message once."""
