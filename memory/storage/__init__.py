"""Storage: database connection, schema and repositories."""
