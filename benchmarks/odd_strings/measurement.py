"""Stores odd strings among ordinary messages, ages them through every tier, and compares the text that is shown."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from foxing.api.demo.conversation import demo_conversation
from foxing.memory import Memory, RecalledMessage
from foxing.memory.values.gap_marks import TEXT_GAP_MARK

from .strings import OddString

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BANK = "odd"
#: One ordinary message per this many odd strings.
ORDINARY_EVERY = 4
#: Tier → days after which the policy moves pages there.
TIERS = {"large": 0, "base": 7, "small": 30, "tiny": 90, "micro": 365}
#: One message in this many is also read by its id, and searched for by one of its words.
FETCHED_EVERY = 100
#: End of a message that may fade without a gap.
_END = re.compile(r"[.。．!！…\s]+\Z")
_WORD = re.compile(r"\w{4,}")


@dataclass
class Shown:
    """Counts of the text shown at one tier in one way."""

    strings: int = 0
    #: Strings with a gap, and strings with a flagged character.
    faded: int = 0
    flagged: int = 0
    #: Kind → silent differences.
    silent: Counter[str] = field(default_factory=Counter)
    #: Silent differences: text stored and text shown.
    examples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: "Shown") -> None:
        """Adds the counts of `other`."""
        self.strings += other.strings
        self.faded += other.faded
        self.flagged += other.flagged
        self.silent += other.silent
        self.examples += other.examples


def is_silent(said: str, shown: RecalledMessage, *, part: bool = False) -> bool:
    """Returns True if text is shown that was not stored and is neither flagged nor a gap, or if text is missing without
    a gap. `part`: the message may be shown in part.

    Flagged characters, gaps, and a blank beside a gap match any text.
    """
    text, unsure = shown.text, [False] * len(shown.text)
    for start, stop, _ in shown.uncertain:
        unsure[start:stop] = [True] * (stop - start)
    for place in shown.gaps:
        stop = place + (len(TEXT_GAP_MARK) if text.startswith(TEXT_GAP_MARK, place) else 1)
        for beside in range(place - 1, stop + 1):
            if 0 <= beside < len(text) and (place <= beside < stop or text[beside] == " "):
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
    """True if `pieces` occur in `said` one after another, the first at its start and the last at its end unless these
    are open."""
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
    """Returns tier and way of reading → counts. The memory must be empty, with a clock at `START`."""
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
    """Stores the strings among ordinary messages; returns message id → string."""
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
