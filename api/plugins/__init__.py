"""Commands and apps that other packages add by entry point."""
