"""Parsing of chat completions: text, confidence of each character, and truncation."""

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

LOOP_MAX_PERIOD = 512  # characters
LOOP_MIN_CHARS = 80  # total length of the repetitions
LOOP_MIN_REPEATS = 4
MAX_TOKEN_COUNT = 1 << 40  # a larger count in a response is invalid
MAX_QUOTE_CHARS = 300

#: Maximum number of characters kept of a response, four for each cell of the densest page: a server may send
#: megabytes, and processing time is superlinear.
MAX_ANSWER_CHARS = 4 * DENSE_PAGE.cells

#: Special token at either end of the text, which servers keep if `skip_special_tokens` is false. The markup of
#: grounding answers is not matched.
_SPECIAL = re.compile(r"<[|｜](?!/?(?:ref|det|grounding)\|)[^|｜<>\n]{1,40}[|｜]>")
_MAX_SPECIAL_CHARS = 44
_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\n(.*?)\n?```\s*\Z", re.DOTALL)


class InvalidCompletion(ValueError):
    """The response is not a valid completion."""


class NoReading(InvalidCompletion):
    """A valid completion contains no reading of the page. The message is a predicate whose subject is the server.
    `deliberate`: whether the model completed its answer, so that another attempt will most likely end the same way."""

    def __init__(self, message: str, *, deliberate: bool) -> None:
        super().__init__(message)
        self.deliberate = deliberate


@dataclass(frozen=True)
class ChatCompletion:
    """Response to a request to read a page."""

    text: str
    #: float32[len(text)] in [0, 1]: confidence of each character; None if the server returns no log-probabilities.
    confidence: npt.NDArray[np.float32] | None
    #: Whether the text was cut off at `max_tokens` or at `MAX_ANSWER_CHARS`.
    cut: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @classmethod
    def parse(cls, document: Any) -> Self:
        """Parses the JSON of a response for a page that is not empty. Raises `InvalidCompletion`, or `NoReading` if
        the model returned no text or refused."""
        try:
            choice = document["choices"][0]
            message = choice["message"]
            content = message["content"] if "refusal" not in message else message.get("content")
            usage = document.get("usage") or {}
            logprobs = (choice.get("logprobs") or {}).get("content") or []
            counts = [token_count(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]
            finish = choice.get("finish_reason")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidCompletion("it has no choices with a message, or fields with invalid values") from error
        if isinstance(content, list):
            content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
        if content is not None and not isinstance(content, str):
            raise InvalidCompletion(f"its content is not text but {type(content).__name__}")
        check_finish(choice, message, finish)
        text = (content or "")[:MAX_ANSWER_CHARS]
        cut = finish == "length" or len(text) < len(content or "")
        completion = cls(text, character_confidence(text, logprobs), cut, *counts).trimmed()
        if not completion.text.strip():
            raise NoReading(
                f"returned no text for a page that is not empty (it ended with '{quote(finish)}' after {counts[1]:,} "
                "tokens); check that the model accepts images, and the option 'max_tokens'",
                deliberate=True,
            )
        return completion

    def head(self, length: int) -> Self:
        """Returns the completion truncated to the first `length` characters."""
        return self._slice(0, length)

    def _slice(self, start: int, stop: int) -> Self:
        return replace(
            self,
            text=self.text[start:stop],
            confidence=None if self.confidence is None else self.confidence[start:stop],
        )

    def trimmed(self) -> Self:
        """Returns the completion without special tokens at either end and without a code fence around the text."""
        text = self.text
        start = 0
        stop = len(text)
        while (match := _SPECIAL.match(text, start)) is not None:
            start = match.end()
            start += len(text) - start - len(text[start:].lstrip())
        while (token := _trailing_special(text, start, stop)) is not None:
            stop = start + len(text[start:token].rstrip())
        trimmed = self._slice(start, stop)
        fenced = _FENCE.search(trimmed.text)
        return trimmed if fenced is None else trimmed._slice(*fenced.span(1))


def billed_tokens(document: Any) -> tuple[int, int]:
    """Returns the prompt and completion tokens of a response without a usable answer; 0 if not reported."""
    usage = document.get("usage") if isinstance(document, Mapping) else None
    counts = []
    for name in ("prompt_tokens", "completion_tokens"):
        try:
            counts.append(token_count(usage.get(name) or 0) if isinstance(usage, Mapping) else 0)
        except (ValueError, OverflowError, TypeError):
            counts.append(0)
    return counts[0], counts[1]


def token_count(value: Any) -> int:
    """Parses a token count in a response. Raises `ValueError`, `OverflowError` or `TypeError`."""
    count = int(value)
    if not 0 <= count <= MAX_TOKEN_COUNT:
        raise ValueError("not a number of tokens")
    return count


def check_finish(choice: Mapping[str, Any], message: Mapping[str, Any], finish: Any) -> None:
    """Checks the finish reason. Raises `NoReading` if the model refused, a content filter stopped it, or generation
    failed."""
    if refusal := message.get("refusal"):
        raise NoReading(f"reported that the model refuses to read the page: {quote(refusal)}", deliberate=True)
    if finish == "content_filter":
        raise NoReading("reported that its content filter stopped the answer (content_filter)", deliberate=True)
    if finish in ("error", "abort"):
        raise NoReading(f"reported that generation failed: {quote(choice.get('error') or finish)}", deliberate=False)


def quote(value: Any) -> str:
    """Returns `value` on one line of at most `MAX_QUOTE_CHARS` characters, for an error message."""
    return " ".join(str(value).split())[:MAX_QUOTE_CHARS]


def _trailing_special(text: str, start: int, stop: int) -> int | None:
    """Returns the position of the special token at the end of `text[start:stop]`, ignoring trailing whitespace."""
    end = start + len(text[start:stop].rstrip())
    opening = text.rfind("<", max(start, end - _MAX_SPECIAL_CHARS), end)
    return opening if opening >= 0 and _SPECIAL.fullmatch(text, opening, end) else None


def loop_start(text: str) -> int | None:
    """Returns the position of the first repetition in a loop that lasts to the end of `text`; None if there is no
    loop."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")[::-1]
    for period in range(1, min(LOOP_MAX_PERIOD, len(codes) // LOOP_MIN_REPEATS) + 1):
        different = np.flatnonzero(codes[period:] != codes[:-period])
        same = int(different[0]) if len(different) else len(codes) - period
        if same >= max(LOOP_MIN_CHARS, (LOOP_MIN_REPEATS - 1) * period):
            return len(text) - same
    return None


def character_confidence(text: str, logprobs: Any) -> npt.NDArray[np.float32] | None:
    """Returns float32[len(text)] in [0, 1]: for each character, the lowest probability of the tokens that contain a
    byte of it; None without usable log-probabilities. All characters of a token share its probability. Characters that
    the tokens do not spell have confidence 0."""
    if not isinstance(logprobs, Sequence) or not logprobs or not text:
        return None
    spelled = _token_bytes(logprobs)
    if spelled is None:
        return None
    written, probabilities = spelled
    try:
        characters = getincrementaldecoder("utf-8")().decode(written, len(written) <= 4 * MAX_ANSWER_CHARS)[
            : 2 * MAX_ANSWER_CHARS
        ]
    except UnicodeDecodeError:
        return None
    of_bytes = np.array(probabilities[: len(characters.encode())], dtype=np.float32)
    starts = np.cumsum([0, *(len(character.encode()) for character in characters)])[:-1]
    of_characters = np.minimum.reduceat(of_bytes, starts) if len(starts) else of_bytes
    if characters == text:
        return of_characters
    offset = characters.find(text)  # special tokens at the ends were removed from the text
    if offset >= 0:
        return of_characters[offset : offset + len(text)]
    result = np.zeros(len(text), dtype=np.float32)
    for operation in Levenshtein.opcodes(characters, text):
        if operation.tag == "equal":
            source = (operation.src_start, operation.src_end)
            target = (operation.dest_start, operation.dest_end)
            result[slice(*target)] = of_characters[slice(*source)]
    return result


def _token_bytes(logprobs: Sequence[Any]) -> tuple[bytearray, list[float]] | None:
    """Returns the UTF-8 bytes of the tokens, and for each byte the probability of its token; None if an entry is
    invalid. Entries beyond the maximum length of a text are ignored."""
    written = bytearray()
    probabilities: list[float] = []
    for entry in logprobs:
        if len(written) > 4 * MAX_ANSWER_CHARS:  # a character has at most four bytes
            break
        try:
            part = bytes([*entry["bytes"]]) if entry.get("bytes") is not None else str(entry["token"]).encode()
            logprob = float(entry["logprob"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            return None
        if math.isnan(logprob) or logprob == math.inf:
            return None
        written += part
        probabilities += [math.exp(min(0.0, logprob))] * len(part)
    return written, probabilities
