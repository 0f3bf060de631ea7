"""The conversation of the demo: an agent and its user over a year, the same in every run.

The story of project Titan is written by hand (`demo_data/titan.txt`). The days between are made from templates
(`scenarios.txt`) whose words come from pools (`phrases.txt`, `words.txt`); a pool is used up before a word of it
comes again.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files

from foxing.memory import NewMessage

SEED = 1905
SEOUL = timezone(timedelta(hours=9), "KST")
STARTS_AT = datetime(2025, 2, 18, 8, 30, tzinfo=SEOUL)
ENDS_AT = datetime(2026, 3, 27, 18, 0, tzinfo=SEOUL)
DECIDED_AT = ENDS_AT - timedelta(weeks=3)  # what the demo asks about
CONVERSATIONS = 342  # made from templates

_SPEAKERS = re.compile(r"^(mina|assistant|tool:[a-z_]+)> ", re.MULTILINE)
_SLOT = re.compile(
    r"\{(?:(?P<rule>[a-z]+)(?::(?P<bind>[a-z]))?|:(?P<bound>[a-z])|let (?P<hidden>[a-z]+) (?P<letter>[a-z])"
    r"|(?P<kind>n|dec|rows|list) (?P<first>-?\d+) (?P<second>\w+))\}"
)


@dataclass(frozen=True)
class Exchange:
    """A conversation as written: when, in which thread, and (speaker, text) pairs."""

    at: datetime | None
    thread: str
    turns: tuple[tuple[str, str], ...]


def demo_conversation(seed: int = SEED) -> list[NewMessage]:
    """All messages in time order."""
    chance = random.Random(seed)
    story = [exchange for exchange in _exchanges("titan.txt") if exchange.at is not None]
    said = [*story, *_made(chance)]
    said.sort(key=lambda exchange: exchange.at or STARTS_AT)
    messages: list[NewMessage] = []
    at = STARTS_AT
    for exchange in said:
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


def _made(chance: random.Random) -> Iterator[Exchange]:
    """The conversations between. There are more of them towards the end."""
    templates = _exchanges("scenarios.txt")
    pools = _Pools(chance)
    span = (ENDS_AT - STARTS_AT) - timedelta(hours=12)
    order: list[Exchange] = []
    for index in range(CONVERSATIONS):
        if not order:
            order = chance.sample(templates, len(templates))
        template = order.pop()
        day = STARTS_AT + span * ((index + 0.5) / CONVERSATIONS) ** 0.88
        at = day.replace(hour=chance.randint(7, 22), minute=chance.randint(0, 59), second=chance.randint(0, 59))
        at = min(at, ENDS_AT - timedelta(hours=1))
        filling = _Filling(pools, chance, at)
        yield Exchange(at, template.thread, tuple((who, filling.fill(text)) for who, text in template.turns))


class _Pools:
    """Words by rule. Each rule's alternatives come in chance order, all of them before one comes again."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.left: dict[str, list[int]] = {}

    def draw(self, rule: str) -> int:
        left = self.left.get(rule)
        if not left:
            count = len(_rules()[rule].alternatives)
            left = self.left[rule] = self.chance.sample(range(count), count)
        return left.pop()


@dataclass
class _Filling:
    """Fills the slots of one conversation. What is bound to a letter stays the same in it."""

    pools: _Pools
    chance: random.Random
    at: datetime
    bound: dict[str, str] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    depots: list[tuple[str, int, str]] = field(default_factory=list)
    passed_s: int = 0

    def fill(self, text: str) -> str:
        return _SLOT.sub(self._slot, text)

    def _slot(self, match: re.Match[str]) -> str:
        if match["bound"]:
            return self.bound[match["bound"]]
        if match["hidden"]:
            self.bound[match["letter"]] = self._plain(match["hidden"])
            return ""
        if match["kind"]:
            return self._counted(match["kind"], int(match["first"]), match["second"])
        value = self._plain(match["rule"])
        if match["bind"]:
            self.bound[match["bind"]] = value
        return value

    def _counted(self, kind: str, first: int, second: str) -> str:
        if kind == "n":
            return str(self.chance.randint(first, int(second)))
        if kind == "dec":
            return f"{self.chance.randint(first, int(second))}.{self.chance.randint(0, 9)}"
        return (", " if kind == "list" else "\n").join(self._plain(second) for _ in range(first))

    def _plain(self, rule: str) -> str:
        made = getattr(self, f"_{rule}", None)
        if made is not None:
            return str(made())
        known = _rules()[rule]
        index = self.drawn[known.follows] if known.follows else self.pools.draw(rule)
        self.drawn[rule] = index
        return self.fill(known.alternatives[index])

    def _hex(self, digits: int) -> str:
        return f"{self.chance.getrandbits(4 * digits):0{digits}x}"

    def _sha(self) -> str:
        return self._hex(10)

    def _uuid(self) -> str:
        return f"{self._hex(8)}-{self._hex(4)}-4{self._hex(3)}-a{self._hex(3)}-{self._hex(12)}"

    def _callid(self) -> str:
        return "call_" + "".join(self.chance.choices("ABCDEFGHKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz23456789", k=16))

    def _clock(self) -> str:
        return f"{self.chance.randint(6, 22):02d}:{self.chance.randint(0, 59):02d}"

    def _date(self) -> str:
        return (self.at.date() + timedelta(self.chance.randint(-6, 6))).isoformat()

    def _stamp(self) -> str:
        """Times of log lines ascend."""
        self.passed_s += self.chance.randint(1, 90)
        moment = self.at - timedelta(minutes=20) + timedelta(seconds=self.passed_s)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{self.chance.randint(100, 999)}+09:00"

    def _tick(self) -> str:
        self.passed_s += self.chance.randint(1, 60)
        return f"{self.passed_s // 60:02d}:{self.passed_s % 60:02d}"

    def _chosen(self) -> str:
        return self.bound[self.chance.choice("abce")]

    def _resultrows(self) -> str:
        orders = sorted((self.chance.randint(400, 9000) for _ in range(6)), reverse=True)
        self.depots = [(self._plain("city"), count, f"{self.chance.uniform(2, 70):.1f}") for count in orders]
        return ", ".join(
            f'{{"depot": "{name}", "orders": {count}, "value": {value}}}' for name, count, value in self.depots
        )

    def _tablerows(self) -> str:
        changes = [f"{self.chance.choice('+-')}{self.chance.uniform(0, 9):.1f} %" for _ in self.depots]
        rows = zip(self.depots, changes, strict=True)
        return "\n".join(f"| {name} | {count:,} | {value} | {change} |" for (name, count, value), change in rows)

    def _won(self) -> str:
        return f"₩{self.chance.randint(24, 210)},000"

    def _eur(self) -> str:
        return f"€{self.chance.randint(29, 980)}.{self.chance.randint(0, 99):02d}"


@dataclass(frozen=True)
class _Rule:
    """`follows`: the rule whose alternative was drawn last decides this one's: the answer to that question."""

    alternatives: tuple[str, ...]
    follows: str | None


@cache
def _rules() -> dict[str, _Rule]:
    rules: dict[str, _Rule] = {}
    for name in ("words.txt", "phrases.txt"):
        for block in re.split(r"^= ", _read(name), flags=re.MULTILINE)[1:]:
            head, *lines = block.splitlines()
            rule, _, follows = head.partition(" < ")
            rules[rule] = _Rule(tuple(line.replace("\\n", "\n") for line in lines if line), follows or None)
    return rules


@cache
def _exchanges(name: str) -> list[Exchange]:
    found = []
    for block in re.split(r"^@ ", _read(name), flags=re.MULTILINE)[1:]:
        head, _, body = block.partition("\n")
        *when, thread = head.split()
        at = datetime.strptime(" ".join(when), "%Y-%m-%d %H:%M").replace(tzinfo=SEOUL) if when else None
        parts = _SPEAKERS.split(body)[1:]
        turns = tuple((who, text.strip("\n")) for who, text in zip(parts[::2], parts[1::2], strict=True))
        found.append(Exchange(at, thread, turns))
    return found


def _read(name: str) -> str:
    return (files("foxing.api.demo") / "data" / name).read_text(encoding="utf-8")
