"""The remote codec: pages are kept as images and read by a vision model behind an OpenAI-compatible endpoint."""
