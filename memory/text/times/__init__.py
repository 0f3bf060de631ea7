"""Time expressions (“yesterday”, “지난달”, “since March”): bounds of a window, and the time inside a query.

English and Korean are read here, because dateparser, which reads the other languages, returns a point in time where a
period is needed, and does not read “작년 3월”.
"""

from .window import Window, parse_since, parse_until, split_query, zone_of

__all__ = ["Window", "parse_since", "parse_until", "split_query", "zone_of"]
