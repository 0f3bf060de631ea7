"""Disambiguation of time expressions in queries: “may” and “march” are ordinary words too.

A false positive hides messages and a false negative does not, so ambiguous words are not times. “May” counts as a time
only with evidence: a suitable preposition, a day, a year, or a capital letter within a sentence.
"""

import re
from typing import NamedTuple

from .expressions import TimeExpression


class Preposition(NamedTuple):
    """The preposition of a time expression."""

    #: In lower case with single spaces, such as “in”, “since” or “at the end of”; empty if there is none.
    words: str
    #: Whether “the” is between it and the time.
    article: bool


#: Month names that are ordinary words or names too.
_ORDINARY = re.compile(r"(?<!\w)(?:march|may|august|jan|mar|apr|jun|jul|aug|sept?|oct|nov|dec)(?!\w)", re.IGNORECASE)
_MONTH_ONLY = re.compile(r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?(?:['’]s)?", re.IGNORECASE)
_YEAR_ONLY = re.compile(r"(?:19|20)\d\d")
_YEAR_WORDS = re.compile(r"in|back in|during|throughout|since|after|before|until|till|.* of")
_DETERMINER = re.compile(r"(?<!\w)(?:the|our|my|your|his|her|its|their|an?)\s+$", re.IGNORECASE)
_OWNED = re.compile(r"(?<!\w)(?:the|our|my|your|his|her|its|their|this|that|an?|very)\s+$", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(?:^|[.?!\n])\W*$")
#: The end of the text, punctuation, or a word that begins a clause or phrase: “in may we …”, “march 4, who …”. Does not
#: match after “may be” and “march 4 miles”.
_CLAUSE = re.compile(
    r"\W*$|\s*[^\w\s,'’-]|,(?!\s*\d)|\s+(?:about|and|as|at|because|but|by|concerning|did|do|does|for|from|had|has|he|how"
    r"|if|in|is|it|its|my|of|on|or|our|regarding|she|so|than|that|the|their|there|they|this|those|to|until|was|we|were"
    r"|what|when|where|which|while|who|whose|why|with|would|you|your|i)(?![\w-])",
    re.IGNORECASE,
)
_NAME = re.compile(r"\s{1,8}[^\W\da-z]")
_VERB = re.compile(r"\s+(?:also|be|have|never|not|only|still|well)(?!\w)", re.IGNORECASE)
_NEXT = re.compile(r",?\s+(?:of\s+)?(?:the\s+)?(?:next|coming|following)\s", re.IGNORECASE)
_AFTER_NEXT_WEEK = re.compile(r"(?<!\w)(?:next|every|each)\s+(?:\w+\s+)?(?:on\s+)?$", re.IGNORECASE)

#: “next”, “every”: the time is not in the past.
_KOREAN_NOT_PAST = re.compile(
    r"(?<![가-힣])(?:다음|다다음|오는|돌아오는|매주|매월|매달|매년|내년|내후년|차주|담주|내주)(?:\s?(?:주|달|해))?에?\s*$"
)
#: “출시 3주 전”: three weeks before the release, not before now.
_KOREAN_EVENT = re.compile(
    r"(?:[가-힣]기|출시|마감|회의|발표|배포|시험|출발|시작|종료|계약|결혼|결혼식|수술|면접|출장|이사|생일|오픈|런칭|릴리스|입사|퇴사|행사)\s*$"
)


_CONTEXT_CHARS = 80  # characters before a time that are examined


def _before(text: str, start: int) -> str:
    """Returns the context before `start`."""
    return text[max(0, start - _CONTEXT_CHARS) : start]


def is_meant(text: str, time: TimeExpression, preposition: Preposition) -> bool:
    """Returns True if the expression in the query `text` denotes a time in the past."""
    words = text[time.start : time.stop]
    before = _before(text, time.start)
    if _NEXT.match(text, time.stop) or _AFTER_NEXT_WEEK.search(before) or _KOREAN_NOT_PAST.search(before):
        return False
    if "전" in words and _KOREAN_EVENT.search(before):
        return False
    if _YEAR_ONLY.fullmatch(words):
        return _is_year(text, time, preposition)
    month = _ORDINARY.search(words)
    if month is not None and not _capital_in_sentence(text, time.start + month.start()):
        return _is_ordinary_month(text, time, preposition)
    if time.unambiguous:
        return True
    if not _MONTH_ONLY.fullmatch(words):
        return preposition.words not in ("", "of") or _date_in_sentence(text, time)
    if preposition.words in ("", "of"):
        return _capital_in_sentence(text, time.start) and _DETERMINER.search(before) is not None
    return preposition.words not in ("on", "at")


def is_count(text: str, time: TimeExpression) -> bool:
    """Returns True if the expression is a count of the following noun: “2000 rows”."""
    return _YEAR_ONLY.fullmatch(text, time.start, time.stop) is not None and not _year_ends(text, time.stop)


def _is_year(text: str, time: TimeExpression, preposition: Preposition) -> bool:
    """Returns True if a four-digit number is a year."""
    if not _YEAR_WORDS.fullmatch(preposition.words) or preposition.words == "of":
        return False
    return _year_ends(text, time.stop)


def _year_ends(text: str, stop: int) -> bool:
    """Returns True if the number before `stop` is not a count: “in 2025 we …”, “in 2025 Mina …”."""
    return _CLAUSE.match(text, stop) is not None or _NAME.match(text, stop) is not None


def _is_ordinary_month(text: str, time: TimeExpression, preposition: Preposition) -> bool:
    """Returns True if a lower-case “may”, “march” or the like is a month."""
    words = text[time.start : time.stop].lower()
    before = _before(text, time.start)
    if words.startswith("this"):
        return False
    if words.startswith("last"):
        return _OWNED.search(before) is None and preposition.article is False and not _VERB.match(text, time.stop)
    if words.startswith(("early", "mid", "late")) and preposition.words in ("", "of") and _OWNED.search(before):
        return False
    ends_phrase = _CLAUSE.match(text, time.stop) is not None
    prepositioned = preposition.words not in ("", "of") and not preposition.article
    if _MONTH_ONLY.fullmatch(words):
        return prepositioned and preposition.words not in ("on", "at") and (ends_phrase or words.endswith("s"))
    if not time.unambiguous and not prepositioned:
        return False
    return ends_phrase or (prepositioned and not _VERB.match(text, time.stop))


def _capital_in_sentence(text: str, start: int) -> bool:
    """Returns True if the word at `start` is capitalized, unless it begins a sentence or the query is in all caps."""
    return text[start].isupper() and not _SENTENCE_START.search(_before(text, start)) and text != text.upper()


def _date_in_sentence(text: str, time: TimeExpression) -> bool:
    """Returns True for a date within a sentence: “… decided March 4 about …”."""
    return (
        text[time.start].isupper()
        and text[time.stop - 1].isdigit()
        and _before(text, time.start).rstrip()[-1:].isalnum()
    )
