"""One bank in one portable archive, and what moves banks."""
