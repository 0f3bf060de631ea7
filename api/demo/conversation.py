"""The conversation of the demo: a year of messages between an agent and its user, identical on every run.

The story of project Titan is written by hand (`data/titan.txt`); everyday conversations are generated from templates
(`data/scenarios.txt`).
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache

from foxing.memory import NewMessage

from .templates import TemplateFiller, WordPools, read_data

SEED = 1905
SEOUL = timezone(timedelta(hours=9), "KST")
STARTS_AT = datetime(2025, 2, 18, 8, 30, tzinfo=SEOUL)
ENDS_AT = datetime(2026, 3, 27, 18, 0, tzinfo=SEOUL)
DECIDED_AT = ENDS_AT - timedelta(weeks=3)  # the decision that the demo asks about
CONVERSATIONS = 342  # generated from templates

_SPEAKERS = re.compile(r"^(mina|assistant|tool:[a-z_]+)> ", re.MULTILINE)


@dataclass(frozen=True)
class Exchange:
    """One conversation of a data file."""

    #: Start time; None for a template.
    at: datetime | None
    thread: str
    #: (speaker, text) pairs; a speaker is "mina", "assistant" or "tool:NAME".
    turns: tuple[tuple[str, str], ...]


def demo_conversation(seed: int = SEED) -> list[NewMessage]:
    """Returns all messages in time order, from `STARTS_AT` to `ENDS_AT`."""
    rng = random.Random(seed)
    story = [exchange for exchange in _exchanges("titan.txt") if exchange.at is not None]
    exchanges = [*story, *_generated(rng)]
    exchanges.sort(key=lambda exchange: exchange.at or STARTS_AT)
    messages: list[NewMessage] = []
    at = STARTS_AT
    for exchange in exchanges:
        at = max(at + timedelta(minutes=1), exchange.at or STARTS_AT)
        for speaker, text in exchange.turns:
            role, _, name = speaker.partition(":")
            messages.append(
                NewMessage(
                    id=f"demo-{len(messages) + 1:04d}",
                    role="user" if role == "mina" else "tool" if role == "tool" else "assistant",
                    name="Mina" if role == "mina" else name or None,
                    content=text,
                    created_at=at,
                    thread=exchange.thread,
                )
            )
            at += timedelta(seconds=2 if name else 10 + len(text) // 12)
    return messages


def _generated(rng: random.Random) -> Iterator[Exchange]:
    """Yields conversations generated from templates, more frequent towards the end."""
    templates = _exchanges("scenarios.txt")
    pools = WordPools(rng)
    span = (ENDS_AT - STARTS_AT) - timedelta(hours=12)
    order: list[Exchange] = []
    for index in range(CONVERSATIONS):
        if not order:
            order = rng.sample(templates, len(templates))
        template = order.pop()
        day = STARTS_AT + span * ((index + 0.5) / CONVERSATIONS) ** 0.88
        at = day.replace(hour=rng.randint(7, 22), minute=rng.randint(0, 59), second=rng.randint(0, 59))
        at = min(at, ENDS_AT - timedelta(hours=1))
        filler = TemplateFiller(pools, rng, at)
        yield Exchange(at, template.thread, tuple((speaker, filler.fill(text)) for speaker, text in template.turns))


@cache
def _exchanges(name: str) -> list[Exchange]:
    exchanges = []
    for block in re.split(r"^@ ", read_data(name), flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        *when, thread = head.split()
        at = datetime.strptime(" ".join(when), "%Y-%m-%d %H:%M").replace(tzinfo=SEOUL) if when else None
        parts = _SPEAKERS.split(body)[1:]
        turns = tuple((speaker, text.strip("\n")) for speaker, text in zip(parts[::2], parts[1::2], strict=True))
        exchanges.append(Exchange(at, thread, turns))
    return exchanges
