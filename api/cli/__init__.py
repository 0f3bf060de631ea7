"""The commands of `foxing`. Heavy packages are imported inside functions to keep `--help` fast."""
