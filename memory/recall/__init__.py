"""Recall: from a query or a time window to spans or page images."""
