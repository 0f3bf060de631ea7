"""Codec `remote`: stores pages as images, and reads them with a vision model behind an OpenAI-compatible endpoint."""
