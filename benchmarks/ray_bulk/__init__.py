"""Ageing by one process and by actors of Ray, one of which is killed half-way."""
