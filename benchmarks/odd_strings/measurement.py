"""Stores odd strings among ordinary messages, has them age through every tier, and compares what is shown."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from foxing.api.demo.conversation import demo_conversation
from foxing.memory import Memory, RecalledMessage

from .strings import OddString

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BANK = "odd"
#: Every so many-th message is an ordinary one.
ORDINARY_EVERY = 4
#: Tier → days after which pages are there, as by the policy.
TIERS = {"large": 0, "base": 7, "small": 30, "tiny": 90, "micro": 365}
#: Every so many-th message is also fetched by itself, and searched for by a word of it.
FETCHED_EVERY = 100
#: What may fade at the end of a message without a mark.
_END = re.compile(r"[.。．!！…\s]+\Z")
_WORD = re.compile(r"\w{4,}")


@dataclass
class Shown:
    """What was shown at a tier in one way."""

    strings: int = 0
    #: Strings of which something was a gap, and of which something was flagged.
    faded: int = 0
    flagged: int = 0
    #: Kind → silent differences.
    silent: Counter[str] = field(default_factory=Counter)
    #: Of these, what was said and what was shown.
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: "Shown") -> None:
        """Counts what was shown elsewhere as well."""
        self.strings += other.strings
        self.faded += other.faded
        self.flagged += other.flagged
        self.silent += other.silent
        self.examples += other.examples


def is_silent(said: str, shown: RecalledMessage, *, part: bool = False) -> bool:
    """Whether something is shown that was not said, and is neither flagged nor a gap; or something left out without a
    gap. `part`: whether only some of the message may be shown.

    What is flagged, a gap, and the blank beside a gap stand for anything.
    """
    text, unsure = shown.text, [False] * len(shown.text)
    for start, stop, _ in shown.uncertain:
        unsure[start:stop] = [True] * (stop - start)
    for place in shown.gaps:
        for beside in (place - 1, place, place + 1):
            if 0 <= beside < len(text) and (beside == place or text[beside] == " "):
                unsure[beside] = True
    pieces, open_start = [""], part
    for number, (character, anything) in enumerate(zip(text, unsure, strict=True)):
        if anything:
            open_start |= number == 0
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
        else:
            pieces[-1] += character
    if len(pieces) == 1 and not part:
        return text not in (said, _END.sub("", said))
    return not _held(said, pieces, open_start=open_start, open_stop=part or unsure[-1])


def _held(said: str, pieces: Sequence[str], *, open_start: bool, open_stop: bool) -> bool:
    """Whether `pieces` stand in `said` one after the other, the first at its start and the last at its end unless that
    is open."""
    at = 0
    for number, piece in enumerate(pieces):
        if number == 0 and not open_start:
            if not said.startswith(piece):
                return False
            at = len(piece)
        elif number == len(pieces) - 1 and not open_stop:
            ends = {said, _END.sub("", said)}
            return any(end.endswith(piece) and len(end) - len(piece) >= at for end in ends)
        elif (found := said.find(piece, at)) < 0:
            return False
        else:
            at = found + len(piece)
    return True


def measure(memory: Memory, strings: Sequence[OddString]) -> dict[str, Shown]:
    """Tier and way → what was shown of the strings. The memory must be empty, with a clock at `START`."""
    said = _store(memory, strings)
    policy = {
        "fresh": "large",
        "steps": [{"after": f"P{days}D", "tier": tier} for tier, days in TIERS.items() if days],
    }
    memory.set_policy(BANK, policy)
    memory.seal(BANK)
    shown: dict[str, Shown] = {}
    for tier, days in TIERS.items():
        if days:
            memory.age(BANK, now=START + (days + 2) * DAY)
        shown[f"{tier}, message"] = _compared(memory.export(BANK), said)
        shown[f"{tier}, fetched"] = _compared(_fetched(memory, said), said)
        shown[f"{tier}, recalled"] = _compared(_recalled(memory, said), said, part=True)
        shown[f"{tier}, page"] = _compared(_on_pages(memory), said, part=True)
    return shown


def _store(memory: Memory, strings: Sequence[OddString]) -> dict[str, OddString]:
    """Message id → what was said, ordinary messages included."""
    ordinary = [str(message.content) for message in demo_conversation()]
    said: dict[str, OddString] = {}
    for number, odd in enumerate(strings):
        if number % ORDINARY_EVERY == 0:
            said[f"n{number}"] = OddString("ordinary", ordinary[number // ORDINARY_EVERY % len(ordinary)])
        said[f"o{number}"] = odd
    messages = [
        {"id": key, "role": "user", "content": odd.text, "created_at": START - DAY + timedelta(seconds=number)}
        for number, (key, odd) in enumerate(said.items())
    ]
    for first in range(0, len(messages), 500):
        memory.store(BANK, messages[first : first + 500])
    return said


def _compared(shown: Iterator[RecalledMessage], said: Mapping[str, OddString], *, part: bool = False) -> Shown:
    result = Shown()
    for message in shown:
        odd = said[message.message_id]
        result.strings += 1
        result.faded += bool(message.gaps)
        result.flagged += bool(message.uncertain)
        if is_silent(odd.text, message, part=part and message.text != odd.text):
            result.silent[odd.kind] += 1
            result.examples.append((odd.text, message.text))
    return result


def _fetched(memory: Memory, said: Mapping[str, OddString]) -> Iterator[RecalledMessage]:
    for key in list(said)[::FETCHED_EVERY]:
        yield memory.message(BANK, key)


def _recalled(memory: Memory, said: Mapping[str, OddString]) -> Iterator[RecalledMessage]:
    for odd in list(said.values())[::FETCHED_EVERY]:
        words = _WORD.findall(odd.text)
        yield from memory.recall(BANK, words[0] if words else "report", limit=5).spans


def _on_pages(memory: Memory) -> Iterator[RecalledMessage]:
    cursor: str | None = None
    while True:
        listed = memory.pages(BANK, limit=100, cursor=cursor)
        for page in listed.pages:
            yield from memory.read_page(BANK, page.id).messages
        cursor = listed.next_cursor
        if cursor is None:
            return
