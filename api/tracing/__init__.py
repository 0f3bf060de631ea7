"""Traces of what the service and the workers do, by OpenTelemetry."""
