"""The database: connection, schema and repositories."""
