"""Text of one message on a page: its words with their features, and its clauses."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from foxing.renderer.sentences import has_mark, is_abbreviated

from .clauses import Clauses, clauses_of
from .facts import is_capitalised, plain
from .fade import MessageWords
from .rules import Rules
from .words import is_punctuation

Flags = npt.NDArray[np.bool_]
#: Roles by which words are rated.
ROLES = ("user", "assistant", "tool", "system")
#: Beginning of a machine-readable message, such as JSON.
_MACHINE = re.compile(r"\A\s*[{\[]\s*[\"'{\[]")
#: Line above the result of a tool, which names the call.
_HEADER = re.compile(r"\A[^\n]{1,80}\n")


class MessageFeatures:
    """Words of a message with their features."""

    def __init__(self, number: int, message: MessageWords) -> None:
        text = message.entry.content
        self.number = number
        self.text = text
        self.words = message.words
        role = "tool" if _MACHINE.match(text) else message.entry.role
        #: Role by which the words are rated.
        self.speaker = role if role in ROLES else "user" if role != "developer" else "system"
        self.units = [text[word.start : word.stop] for word in message.words]
        self.plain = [plain(unit) for unit in self.units]
        self.punctuation = [is_punctuation(unit) for unit in self.units]
        #: Number of the sentence of each word, and whether the word is the first of its sentence.
        self.sentence, self.first = self._sentences()
        #: Length of the line above what a tool printed, with its break; 0 if there is none.
        self.header = len(header[0]) if role == "tool" and (header := _HEADER.match(text)) else 0
        self.machine = role == "tool" and _MACHINE.match(text) is not None
        self.thread = message.entry.thread
        #: Names of the speaker, in lower case.
        self.names = tuple((message.entry.name or "").lower().split())
        self.gaps = message.entry.gaps

    def divide(self, rules: Rules | None) -> None:
        """Sets the rules of the language of the text, and its clauses."""
        self.rules = rules
        self.clauses: Clauses = clauses_of(self.text, self.words, self.sentence, rules, self.gaps, machine=self.machine)
        #: Half-open ranges of words of each clause, in order.
        self.clause_ranges = _runs(self.clauses)
        #: bool for each clause: whether it belongs to a question.
        self.questions = self._questions()

    def overlapping(self, spans: Iterable[tuple[int, int]]) -> Flags:
        """Returns bool[words]: words that overlap a range of characters."""
        depth = np.zeros(len(self.text) + 2, dtype=np.int64)
        for start, stop in spans:
            depth[start + 1] += 1
            depth[stop + 1] -= 1
        before = np.concatenate([[0], np.cumsum(np.cumsum(depth)[1:] > 0)])
        return np.array([before[stop] > before[start] for start, stop in self.words], dtype=bool)

    def _sentences(self) -> tuple[list[int], list[bool]]:
        number = 0
        begins = True
        stop = 0
        sentences = []
        first = []
        for word, mark in zip(self.words, self.punctuation, strict=True):
            begins = begins or "\n" in self.text[stop : word.start]
            ends = mark and has_mark(self.text, word.start, word.stop) and not is_abbreviated(self.text, stop)
            number += begins and not mark
            sentences.append(number)
            first.append(begins and not mark)
            begins = ends or (begins and mark)
            stop = word.stop
        return sentences, first

    def _questions(self) -> list[bool]:
        if self.rules is None or self.machine:
            return [False] * len(self.clause_ranges)
        ends = _last_of_sentence(self.sentence)
        questions = []
        for start, stop in self.clause_ranges:
            begin = self.words[start].start
            end = self.words[ends[stop - 1]].stop
            questions.append(self.rules.question.search(self.text, max(begin, end - 3), end) is not None)
        return questions

    def inside(self) -> list[int]:
        """Returns the indices of the words that do not begin a sentence."""
        return [i for i, first in enumerate(self.first) if not first and not self.punctuation[i]]

    def capital(self, number: int) -> bool:
        """Returns whether a word is capitalised, other than "I"."""
        return is_capitalised(self.units[number], self.plain[number])

    def beside_capital(self, number: int) -> bool:
        """Returns whether an adjacent word is capitalised, as in a title."""
        neighbours = (number - 1, number + 1)
        return any(0 <= i < len(self.words) and not self.punctuation[i] and self.capital(i) for i in neighbours)


def _last_of_sentence(sentence: Sequence[int]) -> list[int]:
    """Returns, for each word, the index of the last word of its sentence."""
    last = len(sentence) - 1
    result = [0] * len(sentence)
    for i in range(len(sentence) - 1, -1, -1):
        if i < len(sentence) - 1 and sentence[i] != sentence[i + 1]:
            last = i
        result[i] = last
    return result


def _runs(clauses: Clauses) -> list[tuple[int, int]]:
    """Returns the half-open ranges of equal numbers, without those of -1."""
    edges = [0, *(np.flatnonzero(np.diff(clauses)) + 1).tolist(), len(clauses)] if len(clauses) else []
    return [(start, stop) for start, stop in pairwise(edges) if clauses[start] >= 0]
