"""Scores of answers to sample pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rapidfuzz.distance import Levenshtein

from .sample_pages import Ranges, SamplePage

#: Placeholder that the prompt asks for in place of an unreadable character.
UNREAD = "▒"
#: Control characters of a page, which are not part of the text.
_MARKS = str.maketrans("", "", "▶◆¶")


@dataclass(frozen=True)
class Score:
    """Counts over some pages."""

    sentences: int = 0
    exact_sentences: int = 0
    identifiers: int = 0
    exact_identifiers: int = 0
    #: Characters on the pages, without blanks.
    characters: int = 0
    #: Characters that were substituted or inserted.
    silent_errors: int = 0
    #: Characters that the reader marked as unreadable.
    unread: int = 0
    #: Characters that were omitted.
    left_out: int = 0

    @property
    def exact(self) -> float:
        """Share of the sentences that were read exactly."""
        return self.exact_sentences / self.sentences if self.sentences else 0.0

    @property
    def identifiers_exact(self) -> float:
        """Share of the identifiers that were read exactly."""
        return self.exact_identifiers / self.identifiers if self.identifiers else 0.0

    @property
    def silent(self) -> float:
        """Silent errors per character, at most 1."""
        return min(1.0, self.silent_errors / self.characters) if self.characters else 0.0

    def __add__(self, other: Self) -> "Score":
        return Score(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def score(page: SamplePage, answer: str) -> Score:
    """Scores `answer` against the text of a page. Blanks, line breaks and control characters of the page are
    ignored."""
    truth, place = _squeezed(page.text)
    read = "".join(answer.translate(_MARKS).split())
    wrong: set[int] = set()
    silent = unread = left_out = 0
    for operation in Levenshtein.editops(truth, read):
        wrong.add(operation.src_pos)
        if operation.tag == "delete":
            left_out += 1
        elif read[operation.dest_pos] == UNREAD:
            unread += 1
        else:
            silent += 1
    sentences = _exact(page.sentences, place, wrong)
    identifiers = _exact(page.identifiers, place, wrong)
    return Score(
        len(page.sentences), sentences, len(page.identifiers), identifiers, len(truth), silent, unread, left_out
    )


def _squeezed(text: str) -> tuple[str, Sequence[int]]:
    """Returns the text without blanks, and for each offset in `text`, its end included, the number of characters before
    it that are not blank."""
    place = [0]
    for character in text:
        place.append(place[-1] + (not character.isspace()))
    return "".join(text.split()), place


def _exact(ranges: Ranges, place: Sequence[int], wrong: set[int]) -> int:
    return sum(wrong.isdisjoint(range(place[start], place[stop])) for start, stop in ranges)
