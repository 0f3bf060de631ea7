"""What a server answers: the text, how sure the model was of each character, and whether it came to an end."""

import math
import re
from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import Levenshtein

from foxing.renderer import DENSE_PAGE

LOOP_LONGEST = 512  # characters of what is repeated
LOOP_LEAST = 80  # characters that the repetitions take at least
LOOP_TIMES = 4  # how often a text must come to be a loop
MOST_TOKENS = 1 << 40  # that any answer can have cost

#: Characters that are looked at, four for each cell of the densest page: a server may answer megabytes, and what is
#: done with a text takes more than proportionally long.
LONGEST = 4 * DENSE_PAGE.cells

#: A special token at an end of the answer, which servers leave in when asked to skip none; and a code fence around it.
#: The marks of an answer that says what stands where are none of them.
_SPECIAL = re.compile(r"<[|｜](?!/?(?:ref|det|grounding)\|)[^|｜<>\n]{1,40}[|｜]>")
_LONGEST_SPECIAL = 44
_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\n(.*?)\n?```\s*\Z", re.DOTALL)


class BadAnswer(ValueError):
    """This is no chat completion."""


class NoReading(BadAnswer):
    """A chat completion that says that there is none. The sentence goes on after the name of the server. `told`: the
    model has done what it was asked to and would most likely do so again."""

    def __init__(self, sentence: str, *, told: bool) -> None:
        super().__init__(sentence)
        self.told = told


@dataclass(frozen=True)
class Answer:
    """`sure`: float32[len(text)] in [0, 1], None where the server tells no log-probabilities. `cut`: the answer ended
    because it was as long as it may be, or longer than anyone looks at."""

    text: str
    sure: npt.NDArray[np.float32] | None
    cut: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def of(cls, document: Any) -> Self:
        """Out of a chat completion about a page with something on it. Raises `BadAnswer`; `NoReading`
        where the model answers nothing or will not answer."""
        try:
            choice = document["choices"][0]
            message = choice["message"]
            content = message["content"] if "refusal" not in message else message.get("content")
            usage = document.get("usage") or {}
            logprobs = (choice.get("logprobs") or {}).get("content") or []
            counts = [count_of(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            ended = choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise BadAnswer("the answer has no choices with a message, or makes no sense") from error
        if isinstance(content, list):
            content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
        if content is not None and not isinstance(content, str):
            raise BadAnswer(f"the content of the answer is no text ({type(content).__name__})")
        check_told(choice, message, ended)
        text = (content or "")[:LONGEST]
        cut = ended == "length" or len(text) < len(content or "")
        answer = cls(text, sureness(text, logprobs), cut, *counts).trimmed()
        if not answer.text.strip():
            raise NoReading(
                f"answered nothing, though the page is not empty (it ended by '{short(ended)}' after {counts[1]:,} "
                "tokens); check that the model takes images, and FOXING_REMOTE_MAX_TOKENS",
                told=True,
            )
        return answer

    def head(self, length: int) -> Self:
        """The first `length` characters of it."""
        return self._part(0, length)

    def _part(self, start: int, stop: int) -> Self:
        return replace(self, text=self.text[start:stop], sure=None if self.sure is None else self.sure[start:stop])

    def trimmed(self) -> Self:
        """Without special tokens at its ends and without a code fence around it."""
        text = self.text
        start, stop = 0, len(text)
        while (found := _SPECIAL.match(text, start)) is not None:
            start = found.end()
            start += len(text) - start - len(text[start:].lstrip())
        while (place := _closing(text, start, stop)) is not None:
            stop = start + len(text[start:place].rstrip())
        trimmed = self._part(start, stop)
        fenced = _FENCE.search(trimmed.text)
        return trimmed if fenced is None else trimmed._part(*fenced.span(1))


def count_of(value: Any) -> int:
    """How many tokens a server says that were. Raises `ValueError`, `OverflowError`."""
    count = int(value)
    if not 0 <= count <= MOST_TOKENS:
        raise ValueError("no number of tokens")
    return count


def check_told(choice: Mapping[str, Any], message: Mapping[str, Any], ended: Any) -> None:
    """Raises `BadAnswer` where the server says that this is not what was asked for."""
    if refusal := message.get("refusal"):
        raise NoReading(f"answered that the model refuses to read the page: {short(refusal)}", told=True)
    if ended == "content_filter":
        raise NoReading("answered that its content filter stopped the reading of the page (content_filter)", told=True)
    if ended in ("error", "abort"):
        raise NoReading(f"answered that the reading broke off: {short(choice.get('error') or ended)}", told=False)


def short(said: Any) -> str:
    """What a server says, as it goes into a sentence."""
    return " ".join(str(said).split())[:300]


def _closing(text: str, start: int, stop: int) -> int | None:
    """Where the special token begins with which `text[start:stop]` ends, blanks after it aside."""
    end = start + len(text[start:stop].rstrip())
    opening = text.rfind("<", max(start, end - _LONGEST_SPECIAL), end)
    return opening if opening >= 0 and _SPECIAL.fullmatch(text, opening, end) else None


def loop_start(text: str) -> int | None:
    """Where the end of `text` begins to repeat itself: past the first time that what is repeated stands there. None
    where it does not."""
    letters = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")[::-1]
    for period in range(1, min(LOOP_LONGEST, len(letters) // LOOP_TIMES) + 1):
        different = np.flatnonzero(letters[period:] != letters[:-period])
        same = int(different[0]) if len(different) else len(letters) - period
        if same >= max(LOOP_LEAST, (LOOP_TIMES - 1) * period):
            return len(text) - same
    return None


def sureness(text: str, logprobs: Any) -> npt.NDArray[np.float32] | None:
    """Of each character of `text`: that of the least sure token that has a byte of it. A token is as sure as a whole,
    so every character of a long one is taken for as unsure as the token is."""
    if not isinstance(logprobs, Sequence) or not logprobs or not text:
        return None
    said = bytearray()
    sure: list[float] = []
    for entry in logprobs:
        if len(said) > 4 * LONGEST:  # bytes, four of a character at most: past the end of the text
            break
        try:
            part = bytes([*entry["bytes"]]) if entry.get("bytes") is not None else str(entry["token"]).encode()
            logarithm = float(entry["logprob"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None
        if math.isnan(logarithm) or logarithm == math.inf:
            return None
        said += part
        sure += [math.exp(min(0.0, logarithm))] * len(part)
    try:
        characters = getincrementaldecoder("utf-8")().decode(said, len(said) <= 4 * LONGEST)[: 2 * LONGEST]
    except UnicodeDecodeError:
        return None
    of_bytes = np.array(sure[: len(characters.encode())], dtype=np.float32)
    starts = np.cumsum([0, *(len(character.encode()) for character in characters)])[:-1]
    of_characters = np.minimum.reduceat(of_bytes, starts) if len(starts) else of_bytes
    if characters == text:
        return of_characters
    found = characters.find(text)  # special tokens at its ends are left out of the text
    if found >= 0:
        return of_characters[found : found + len(text)]
    result = np.zeros(len(text), dtype=np.float32)
    for operation in Levenshtein.opcodes(characters, text):
        if operation.tag == "equal":
            source, target = (operation.src_start, operation.src_end), (operation.dest_start, operation.dest_end)
            result[slice(*target)] = of_characters[slice(*source)]
    return result
