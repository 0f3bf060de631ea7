"""The last messages of a prompt: how many are included verbatim, and the tokens reserved for them."""

from collections.abc import Sequence
from typing import NamedTuple

from foxing.memory.errors import InvalidInput
from foxing.memory.recall.transcript import Style, TextTranscript, TranscriptLine
from foxing.memory.values.context import ContextRequest
from foxing.memory.values.messages import RecalledMessage

from .headings import RECENT, heading_tokens

#: This many last messages are included verbatim while they take at most this share of the budget of a query.
LAST_MESSAGES, MOST_SHARE = 10, 0.75
#: Older ones are included while all take at most this share.
FURTHER_SHARE = 0.25
#: Numbers of recent messages to fetch: the first, and the second if the budget exceeds those.
FIRST_FETCHED, MOST_FETCHED = 48, 200
#: Number of them that are read at a time, newest first.
READ_AT_ONCE = 16
#: The last messages start at a multiple of this, so that a new message rarely shifts their start.
STRIDE = 5
#: Budget for the last messages is reserved in steps of 1/`STEPS` of the whole, at least `LEAST_STEP` tokens.
STEPS, LEAST_STEP = 16, 32


class RecentMessages(NamedTuple):
    """The last messages that are included verbatim, oldest first, and the line of each as text."""

    messages: Sequence[RecalledMessage] = ()
    lines: Sequence[TranscriptLine] = ()


def first_given(numbers: Sequence[int], lines: Sequence[TranscriptLine], request: ContextRequest) -> int:
    """Returns the index of the first of the last messages that is included verbatim; 0 also where there is room for
    earlier ones. `numbers`: message ids; `lines`: the messages, oldest first. Raises `InvalidInput` if the budget is
    too small for the last one."""
    head = heading_tokens(RECENT)
    if lines and head + lines[-1].tokens(None) > request.budget:
        raise InvalidInput(
            f"the budget of {request.budget:,} tokens is too small for the last message; set it to at least "
            f"{head + lines[-1].tokens(None):,}"
        )
    start, after = len(lines), head  # `after`: tokens of the messages after the first one
    while start:
        count = len(lines) - start
        share = MOST_SHARE if count < LAST_MESSAGES else FURTHER_SHARE
        if request.question is None or not count:
            share = 1.0
        following = lines[start].tokens(lines[start - 1]) if count else 0
        if after + following + lines[start - 1].tokens(None) > share * request.budget:
            break
        start -= 1
        after += following
    while 0 < start < len(lines) - LAST_MESSAGES and numbers[start] // STRIDE == numbers[start - 1] // STRIDE:
        start += 1
    return start


def reserved_tokens(recent: Sequence[TranscriptLine], budget: int, style: Style) -> int:
    """Returns the tokens reserved for the last messages, rounded up, so that a few more do not change the content
    before them."""
    taken = heading_tokens(RECENT) + TextTranscript.of(recent, style).packed_tokens
    step = max(LEAST_STEP, budget // STEPS)
    return -(-taken // step) * step if recent else 0
