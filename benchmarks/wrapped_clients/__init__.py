"""Trial of wrapped clients: hundreds of turns, with killed processes, broken streams and repeated requests."""
