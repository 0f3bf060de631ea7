"""Parses dates and relative times in other languages with dateparser."""

import re
from datetime import datetime

_LANGUAGES = ["en", "ko", "de", "fr", "es", "it", "pt", "nl", "ja", "zh", "ru"]
_MAX_CHARS = 80
_WORD_OR_DATE = re.compile(r"[^\W\d_]{2}|\d\D+\d")
_FORMATS = {"month": "%Y-%m", "year": "%Y"}


def parse_date(text: str, now: datetime) -> datetime | str | None:
    """Returns the point in time that `text` denotes, or a day, month or year as “2026-03-04”, “2026-03” or “2026”, or
    None if it cannot be parsed.

    `now` is aware, and so is the returned datetime.
    """
    if len(text) > _MAX_CHARS or not _WORD_OR_DATE.search(text):
        return None
    from dateparser.date import DateDataParser  # slow to import, rarely needed

    settings = {
        "RELATIVE_BASE": now.replace(tzinfo=None),
        "PREFER_DATES_FROM": "past",
        "PREFER_DAY_OF_MONTH": "first",
    }
    try:
        data = DateDataParser(languages=_LANGUAGES, settings=settings).get_date_data(text)
    except (ValueError, OverflowError, RecursionError):
        return None
    if data.date_obj is None:
        return None
    moment = data.date_obj if data.date_obj.tzinfo else data.date_obj.replace(tzinfo=now.tzinfo)
    return moment if data.period == "time" else moment.strftime(_FORMATS.get(data.period or "day", "%Y-%m-%d"))
