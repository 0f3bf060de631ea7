"""English names of months and weekdays, and the patterns of dates made of them."""

MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

MONTH = r"(?P<month>" + "|".join(rf"{n[:3]}(?:{n[3:]})?\.?" if n[3:] else n for n in MONTH_NAMES) + r"|sept\.?)"
WEEKDAY = r"(?P<weekday>" + "|".join(WEEKDAY_NAMES) + ")"
YEAR = r"(?P<year>(?:19|20)\d\d)"
NTH = r"(?:st|nd|rd|th)?"
DAY = rf"(?P<day>\d{{1,2}}){NTH}"


def month_number(word: str) -> int:
    """1 to 12, of a name or its first three letters."""
    return next(i for i, name in enumerate(MONTH_NAMES, 1) if name.startswith(word.lower().rstrip(".")[:3]))


def weekday_number(word: str) -> int:
    """0 for Monday to 6, of a name."""
    return next(i for i, name in enumerate(WEEKDAY_NAMES) if name.startswith(word.lower()[:3]))
