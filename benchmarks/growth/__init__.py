"""Growth of the processor time of every public entry with the size of its input."""
