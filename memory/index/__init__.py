"""Search indexes: lexical (BM25) and semantic (embeddings), and their fusion."""
