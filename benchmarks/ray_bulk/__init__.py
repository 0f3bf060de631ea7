"""Bulk ageing by one process and by Ray actors, one of which is killed halfway."""
