"""Object storage for large blobs."""
