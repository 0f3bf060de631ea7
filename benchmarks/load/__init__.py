"""Load tests of the service: a process of its own, many clients, signals. See `python -m benchmarks.load --help`."""
