"""Large blobs of pages: which are in object storage, and how often each is used."""
