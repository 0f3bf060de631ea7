"""Cost of each step, capacity plan for many banks, and queue lag of the workers."""
