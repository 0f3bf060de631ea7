"""Several services and workers on one database, whose pages all become due at once."""
