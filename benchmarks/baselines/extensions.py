"""Error of packages that are not installed."""


class NotInstalled(Exception):
    """A package that a system requires is missing."""
