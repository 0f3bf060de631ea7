"""Recall: returns the messages that answer a query or fall into a time window, as text or as page images."""
