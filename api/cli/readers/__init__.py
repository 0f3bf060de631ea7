"""Commands for readers of page images: `render`, `context` and `calibrate`."""
