"""Questions in other words than the messages they ask for."""
