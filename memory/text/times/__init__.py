"""Time expressions (“yesterday”, “지난달”, “since March”): bounds of a window, and the time inside a query."""

from .window import Window, parse_since, parse_until, split_query, zone_of

__all__ = ["Window", "parse_since", "parse_until", "split_query", "zone_of"]
