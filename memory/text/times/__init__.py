"""Time expressions (“yesterday”, “지난달”, “since March”), as bounds of a time window and inside queries.

English, Korean, Chinese and Japanese have parsers here: dateparser, which is the fallback for other languages, returns
points in time where periods are needed, and cannot parse “작년 3월”.
"""

from .window import Window, parse_since, parse_until, split_query

__all__ = ["Window", "parse_since", "parse_until", "split_query"]
