"""The network of the native codec: pixels to what each cell shows."""
