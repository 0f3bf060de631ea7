"""Training of the prior of the native codec: the initial tables of its kernel."""
