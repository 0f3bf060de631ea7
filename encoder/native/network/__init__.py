"""Network of the native codec: pixels of a page → symbol of each cell."""
