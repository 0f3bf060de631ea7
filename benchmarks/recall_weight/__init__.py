"""Whether what was asked for before fades later."""
