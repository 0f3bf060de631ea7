"""The commands of `foxing`. Modules import heavy packages inside functions, so that `--help` answers at once."""
