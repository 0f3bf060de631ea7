"""Scores of what a memory holds and recalls, by comparing words. Imports nothing of the package, so that no rule of the
package can influence what is expected of it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .conversation import Passage, Question
from .labels import Label

#: A word, or one character of a script that is written without blanks.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+(?:['’][^\W\d_]+)*"
)
#: Articles, prepositions, conjunctions, pronouns, auxiliary verbs, question words, adverbs of degree.
_ENGLISH = """
    a an the this that these those
    about above after against at before below between by down during for from in into of off on out over through to
    under until up with
    and as because but if or than while
    i me my myself you your yours yourself yourselves he him his himself she her hers herself it its itself we us our
    ours ourselves they them their theirs themselves
    am are be been being is was were do does did doing has have had having can could should will would
    how what when where which who whom why
    again all any both each few further here just more most now once only other own same so some such then there too
    very
"""
#: English words that are not looked for in an answer. Negations are looked for.
FUNCTION_WORDS = frozenset(_ENGLISH.split())


def words(text: str) -> list[str]:
    """Returns the words of a text in lower case, without a possessive ending."""
    return [_compared(match.group()) for match in _WORD.finditer(text)]


def content_words(text: str) -> set[str]:
    """Returns the words of a text without `FUNCTION_WORDS`."""
    return set(words(text)) - FUNCTION_WORDS


def _compared(word: str) -> str:
    return word.lower().replace("’", "'").removesuffix("'s")


@dataclass(frozen=True)
class AnswerScore:
    """Score of one answer."""

    #: Share of the evidence messages of which a word is returned; None for a memory that names no messages.
    found: float | None
    #: Share of the answer's words that are returned in evidence messages, or anywhere by such a memory.
    support: float

    @property
    def whole(self) -> bool:
        """True if all of the answer's words are returned."""
        return self.support == 1


def answer_words(question: Question, originals: Mapping[str, str]) -> set[str]:
    """Returns the content words of the answer that the evidence says; a question without any is not counted.
    `originals`: message id → text."""
    said = {word for key in question.evidence for word in words(originals[key])}
    return content_words(question.answer) & said


def score_answer(question: Question, originals: Mapping[str, str], passages: Iterable[Passage]) -> AnswerScore:
    """Scores what was recalled for a question that has `answer_words`. `originals`: message id → text."""
    wanted = answer_words(question, originals)
    returned: dict[str | None, set[str]] = {}
    for passage in passages:
        held = returned.setdefault(passage.message_id, set())
        for run in passage.runs:
            held.update(words(run))
    if None in returned:
        everything = set().union(*returned.values())
        return AnswerScore(None, len(wanted & everything) / len(wanted))
    seen = [returned.get(key, set()) for key in question.evidence]
    if question.repeated:
        return AnswerScore(float(any(seen)), max(len(wanted & held) for held in seen) / len(wanted))
    return AnswerScore(sum(map(bool, seen)) / len(seen), len(wanted & set().union(*seen)) / len(wanted))


def is_asked(label: Label) -> bool:
    """True if a question was written for the label, rather than said in the conversation."""
    return " " in label.question


@dataclass
class Remains:
    """Remains of one message."""

    original: str
    #: For each character of the original, 1 if it is left.
    kept: bytearray
    #: Words that are shown, as written.
    words: int = 0
    #: Words that stand alone between two gaps, or between a gap and an end of the message.
    alone: int = 0
    #: Words that are shown and were not said, halves of words included.
    invented: list[str] = field(default_factory=list)

    def holds(self, start: int, end: int) -> bool:
        """True if all letters and digits of a range of the original are left."""
        return all(
            self.kept[place] or not character.isalnum()
            for place, character in enumerate(self.original[start:end], start)
        )


def remains_of(original: str, passages: Iterable[Passage]) -> Remains:
    """Aligns what is left of a message with the original. `passages`: of this message, in its order."""
    remains, place = Remains(original, bytearray(len(original))), 0
    for passage in passages:
        runs = passage.runs
        for run in runs:
            shown = _WORD.findall(run)
            if not shown:
                continue
            remains.words += len(shown)
            remains.alone += len(shown) == 1 and len(runs) > 1
            place = _place(remains, run, place)
    return remains


def _place(remains: Remains, run: str, place: int) -> int:
    """Marks a run of text from `place` on as kept, and returns its end in the original."""
    found = _find(remains.original, run, place)
    if found is not None:
        remains.kept[found : found + len(run)] = b"\x01" * len(run)
        return found + len(run)
    for word in _WORD.findall(run):
        found = _find(remains.original, word, place)
        if found is None:
            found = _find(remains.original, word, 0)
        if found is None:
            remains.invented.append(word)
            continue
        remains.kept[found : found + len(word)] = b"\x01" * len(word)
        place = max(place, found + len(word))
    return place


def _find(original: str, part: str, place: int) -> int | None:
    """First place of `part` in `original`, from `place` on, where it does not cut a word; None if there is none."""
    while (found := original.find(part, place)) >= 0:
        if not _cuts(original, found) and not _cuts(original, found + len(part)):
            return found
        place = found + 1
    return None


def _cuts(text: str, place: int) -> bool:
    """True if `place` is inside of a word."""
    return any(match.start() < place < match.end() for match in _WORD.finditer(text, *_around(text, place)))


def _around(text: str, place: int) -> tuple[int, int]:
    """Range of the characters around `place` up to the next blanks."""
    start, end = place, place
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return start, end
