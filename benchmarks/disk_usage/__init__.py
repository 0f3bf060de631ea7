"""What a bank takes on disk: bits a character of a vacuumed SQLite file, by part and tier."""
