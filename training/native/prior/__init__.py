"""Training of the prior of the native codec: the tables that its kernel starts from."""
