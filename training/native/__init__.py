"""Training of the native codec."""
