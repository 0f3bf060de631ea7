"""Cost of agent sessions with and without folding, and what stays in what is sent."""
