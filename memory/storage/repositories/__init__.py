"""All SQL of the memory. Functions take the connection of the caller's transaction; none commits."""
