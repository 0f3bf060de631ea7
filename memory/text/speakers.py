"""Speakers: index terms of who said a message, and of the people whom a question names.

The index also has the words of a speaker's name as ordinary terms, which occur in the messages of others as well. A
speaker's term keeps upper and lower case, so that a question with the word “support” does not name “Support”.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from .passages import Passage
from .terms import CHUNK, HANGUL, LONGEST_TERM, UNSPACED, term_runs, terms, terms_of_each

PREFIX = "@"  # of the terms of speakers; no other term begins with it
_POSSESSIVE = re.compile(r"['’](?:s|S)?\Z")
#: A script in which particles follow a name without a space, and scripts without spaces at all.
_WITH_PARTICLES = re.compile(f"[{HANGUL}]")
_WITHOUT_SPACES = re.compile(f"[{UNSPACED}]")
_LENGTHS = range(2, 5)  # characters of a name in these scripts


def name_terms(name: str | None) -> Counter[str]:
    """Returns the index terms that a message has by its speaker's `name`."""
    if not name:
        return Counter()
    return terms(name) + Counter({f"{PREFIX}{word}": 1 for word in _words(name)})


def index_terms(text: str, name: str | None, passages: Sequence[Passage]) -> list[Counter[str]]:
    """Returns term → count for each passage of a message. The terms of the speaker's `name` count in every passage. A
    term that reaches into the next passage counts in the one where it begins."""
    spoken_by = name_terms(name)
    if all(text[stop - 1].isspace() for _, stop in passages[:-1]):  # no word is in two passages
        spoken = terms_of_each(text[start:stop] for start, stop in passages)
        return [counts + spoken_by for counts in spoken] if spoken_by else spoken
    ends = [stop for _, stop in passages]
    counts = [Counter(spoken_by) for _ in ends]
    for term, start, _ in term_runs(text):
        counts[bisect_right(ends, start)][term] += 1
    return counts


def asked_speakers(question: str) -> frozenset[str]:
    """Returns the terms of all speakers whom `question` may name: one for each of its words."""
    question_words = set(_words(question))
    for word in list(question_words):
        if _WITH_PARTICLES.match(word):
            question_words.update(word[:length] for length in _LENGTHS)
        elif _WITHOUT_SPACES.match(word):
            question_words.update(
                word[start : start + length] for length in _LENGTHS for start in range(len(word) - length + 1)
            )
    return frozenset(f"{PREFIX}{word}" for word in question_words)


def _words(text: str) -> list[str]:
    """Returns the words of `text` as they are written, without a possessive ending."""
    return [word for match in CHUNK.finditer(text) if (word := _POSSESSIVE.sub("", match[0])[:LONGEST_TERM])]
