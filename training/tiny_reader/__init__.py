"""A tiny model of DeepSeek-OCR's shape that really reads, with the pages that it reads and its training."""
