"""The kernel of the native codec under sanitizers."""
