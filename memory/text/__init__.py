"""Text analysis without a database: index terms and time expressions."""
