"""Words of a dialogue that are worth more or less because of what another message of their thread says.

An answer of few words is a fact with its question. So is what people say in the words of a result: the choice among its
values, and the thing that is talked about. What a tool prints twice is one only once. What one speaker states and the
next one repeats is worth less the second time.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np

from .facts import PAIR, plain
from .message_features import Flags, MessageFeatures
from .words import words_of

#: Maximum words of a message that is a fact as the answer to a question, and of its question.
_ANSWER_WORDS = 8
_QUESTION_WORDS = 20
#: Maximum words of a value, and characters of a word that makes one by itself: "M" or "no" is said of anything.
_VALUE_WORDS = 4
_VALUE_CHARS = 3
#: Roles of those who talk.
_SPEAKERS = ("user", "assistant")
#: Number of messages before one, those of its speaker among them, in which a word is stated that a
#: speaker then repeats.
_HEARD_MESSAGES = 4
#: Minimum characters of what a tool repeats as a whole.
_REPEATED_CHARS = 60
#: Minimum values of a result that an earlier one has all of.
_REPEATED_PAIRS = 5
#: End of a question in a language without rules.
_QUESTION = re.compile("[?？]")
#: Parts of a result that are no values that people name.
_LITERALS = frozenset({"true", "false", "null", "none"})


class Dialogue:
    """The messages of a page as those of its threads."""

    def __init__(self, texts: Sequence[MessageFeatures], function_words: frozenset[str]) -> None:
        threads = _threads(texts)
        neighbours = [pair for thread in threads for pair in pairwise(thread)]
        self._before = {text.number: before for before, text in neighbours}
        self._after = {text.number: after for text, after in neighbours}
        #: Thread → first word of a value of its results → all words of each.
        self._values: dict[str, dict[str, set[tuple[str, ...]]]] = {}
        #: Numbers of messages of tools that repeat an earlier one of their thread.
        self.repeated: frozenset[int] = frozenset(_repetitions(texts))
        self._function_words = function_words
        for text in texts:
            if text.speaker == "tool":
                self._add_values(text)
        #: Number of the message → the values that it names.
        self._namings: dict[int, list[tuple[tuple[str, ...], int, int]]] = {}
        #: Thread and value → number of messages that name it, and the last of them that is not a user's.
        self._times: dict[tuple[str, tuple[str, ...]], tuple[int, int]] = {}
        for text in texts:
            self._count(text)
        #: Number of the message → words that others have stated just before.
        self._heard = {number: words for thread in threads for number, words in _heard(thread)}
        #: Threads in which people talk to each other.
        self._of_people = {thread[0].thread for thread in threads if _is_of_people(thread)}

    def is_between_people(self, text: MessageFeatures) -> bool:
        """Returns whether a message is part of a talk between people who go by their names."""
        return text.thread in self._of_people

    def echoes(self, text: MessageFeatures) -> Flags:
        """Returns bool[words]: words that another speaker has stated just before, rather than asked."""
        heard = self._heard.get(text.number, frozenset())
        return np.array([word in heard for word in text.plain], dtype=bool)

    def facts(self, text: MessageFeatures) -> Flags:
        """Returns bool[words]: the words of a message that are facts by what others say."""
        if text.speaker == "tool" or not text.words:
            return np.zeros(len(text.words), dtype=bool)
        return self._values_said(text) | self._answering(text) | self._asking(text)

    def _add_values(self, text: MessageFeatures) -> None:
        values = self._values.setdefault(text.thread, {})
        for pair in PAIR.finditer(text.text):
            for value in pair[0].split('"')[3::2]:
                words = _plain_words(value)
                if 0 < len(words) <= _VALUE_WORDS and self._tells(words):
                    values.setdefault(words[0], set()).add(words)

    def _tells(self, words: Sequence[str]) -> bool:
        """Returns whether a value is recognised wherever it is said."""
        if len(words) == 1 and ((len(words[0]) < _VALUE_CHARS and words[0].isascii()) or words[0] in _LITERALS):
            return False
        return any(word not in self._function_words for word in words)

    def _values_said(self, text: MessageFeatures) -> Flags:
        """Returns bool[words]: words that name a value of a result: all that a user names, and of what others name more
        than once, the last time."""
        spoken = np.zeros(len(text.words), dtype=bool)
        for value, start, stop in self._namings[text.number]:
            times, last = self._times[text.thread, value]
            if text.speaker == "user" or (times > 1 and last == text.number):
                spoken[start:stop] = True
        return spoken

    def _count(self, text: MessageFeatures) -> None:
        """Notes the values that a message names: the value, and its half-open range of words."""
        namings = self._namings.setdefault(text.number, [])
        values = self._values.get(text.thread)
        if not values or text.speaker == "tool":
            return
        places = [i for i, word in enumerate(text.plain) if word]
        words = [text.plain[i] for i in places]
        for start, word in enumerate(words):
            for value in values.get(word, ()):
                if tuple(words[start : start + len(value)]) == value:
                    namings.append((value, places[start], places[start + len(value) - 1] + 1))
        for value in {value for value, _, _ in namings}:
            times, last = self._times.get((text.thread, value), (0, 0))
            self._times[text.thread, value] = times + 1, last if text.speaker == "user" else text.number

    def _answering(self, text: MessageFeatures) -> Flags:
        """Returns bool[words]: the short answer to a question of the message before."""
        answering = np.zeros(len(text.words), dtype=bool)
        question = self._before.get(text.number)
        if question is None or not asks(question):
            return answering
        if is_short_answer(text):
            answering[:] = True
        elif text.rules is not None and (match := text.rules.answer.match(text.text)):
            answering |= text.overlapping([match.span()])
        return answering

    def _asking(self, text: MessageFeatures) -> Flags:
        """Returns bool[words]: the question that the next message answers by few words, which say nothing without, as
        an identifier would."""
        asking = np.zeros(len(text.words), dtype=bool)
        answer = self._after.get(text.number)
        if answer is None or answer.speaker == text.speaker or not asks(text) or not is_short_answer(answer):
            return asking
        if any(map(str.isdigit, answer.text)):
            return asking
        words = [i for i, sentence in enumerate(text.sentence) if sentence == text.sentence[-1]]
        asking[words[-_QUESTION_WORDS:]] = True
        return asking


def asks(text: MessageFeatures) -> bool:
    """Returns whether a message ends with a question."""
    words = text.text.rstrip()
    question = _QUESTION if text.rules is None else text.rules.question
    return question.search(words, max(0, len(words) - 3)) is not None


def is_short_answer(text: MessageFeatures) -> bool:
    """Returns whether a message says so little that it is an answer as a whole, rather than a courtesy."""
    few = 0 < sum(not mark for mark in text.punctuation) <= _ANSWER_WORDS
    if not few or text.speaker == "tool" or text.rules is None:
        return few and text.speaker != "tool"
    return not text.rules.aside.match(text.text) or text.rules.answer.match(text.text) is not None


def _threads(texts: Sequence[MessageFeatures]) -> Collection[Sequence[MessageFeatures]]:
    """Returns the messages of each thread."""
    threads: dict[str, list[MessageFeatures]] = {}
    for text in texts:
        threads.setdefault(text.thread, []).append(text)
    return threads.values()


def _is_of_people(thread: Sequence[MessageFeatures]) -> bool:
    """Returns whether the speakers of a thread are several, all of them with names, and no tool answers."""
    return all(text.speaker in _SPEAKERS and text.names for text in thread) and len({t.names for t in thread}) > 1


def _heard(thread: Sequence[MessageFeatures]) -> Iterator[tuple[int, frozenset[str]]]:
    """Yields the number of each message that somebody says, and the words of statements in the messages before it
    by others."""
    stated: list[tuple[tuple[str, ...], frozenset[str]]] = []
    for text in thread:
        if text.speaker not in _SPEAKERS:
            continue
        speaker = (text.speaker, *text.names)
        yield text.number, frozenset().union(*(words for other, words in stated if other != speaker))
        clauses = zip(text.clause_ranges, text.questions, strict=True)
        words = {word for (start, stop), asks in clauses if not asks for word in text.plain[start:stop] if word}
        stated = [*stated, (speaker, frozenset(words))][-_HEARD_MESSAGES:]


def _plain_words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (plain(text[start:stop]) for start, stop in words_of(text))))


def _repetitions(texts: Sequence[MessageFeatures]) -> Iterator[int]:
    """Yields the numbers of messages of tools that repeat an earlier message of their thread, but for the line that
    names the call and for what has faded."""
    seen: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for text in texts:
        printed = text.text[text.header :]
        if text.speaker != "tool" or len(printed) < _REPEATED_CHARS:
            continue
        pairs = frozenset(pair[0] for pair in PAIR.finditer(printed))
        earlier = seen.setdefault(text.thread, [])
        if any(printed == other or (len(pairs) >= _REPEATED_PAIRS and pairs <= others) for other, others in earlier):
            yield text.number
        earlier.append((printed, pairs))
