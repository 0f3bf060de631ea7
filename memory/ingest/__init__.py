"""Getting messages into the memory: storing, importing and sealing."""
