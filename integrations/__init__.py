"""Client of the service, and integrations with agent frameworks. Each requires its own extra."""
