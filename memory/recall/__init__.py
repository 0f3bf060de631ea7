"""Recall: the messages, as text or as page images, that answer a query or fall into a time window."""
