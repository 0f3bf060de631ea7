"""The network of the native codec: from the pixels of a page to the symbol of each cell."""
