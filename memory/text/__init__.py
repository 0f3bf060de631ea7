"""Text analysis without a database: index terms, passages and time expressions."""
