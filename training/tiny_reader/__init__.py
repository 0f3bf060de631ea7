"""The tiny reader: a small model in DeepSeek-OCR's format, trained on pages of a limited vocabulary."""
