"""The `remote` codec: stores pages as images, which a vision model behind an OpenAI-compatible endpoint reads."""
