"""Large blobs of pages in object storage, with reference counts."""
