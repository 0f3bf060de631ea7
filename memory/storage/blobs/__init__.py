"""Large blobs outside the database, in object storage."""
