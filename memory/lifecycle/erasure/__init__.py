"""Erasing messages, threads and banks for good."""
