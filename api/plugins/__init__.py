"""Commands and apps of other packages, registered by entry point."""
