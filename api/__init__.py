"""The HTTP service (`foxing.api.app`) and the `foxing` command (`foxing.api.cli.main`)."""
