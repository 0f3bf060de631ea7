"""Templates of conversations: text with slots, filled from word lists or with random values.

| slot | is replaced by |
|---|---|
| `{city}` | an alternative of the rule `city` in `words.txt` or `phrases.txt`, or a value of the kind `city` |
| `{city:c}` | the same; later `{:c}` in this conversation repeats it |
| `{let city c}` | nothing; binds `c` without inserting it |
| `{n 1 9}` `{dec 1 9}` | an integer from 1 to 9; one with a decimal |
| `{rows 7 logline}` `{list 3 city}` | 7 alternatives on lines of their own; 3 separated by commas |
"""

import random
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files

_SLOT = re.compile(
    r"\{(?:(?P<rule>[a-z]+)(?::(?P<bind>[a-z]))?|:(?P<bound>[a-z])|let (?P<hidden>[a-z]+) (?P<letter>[a-z])"
    r"|(?P<kind>n|dec|rows|list) (?P<first>-?\d+) (?P<second>\w+))\}"
)


@dataclass(frozen=True)
class Rule:
    """A named list of alternatives, which may have slots themselves."""

    alternatives: tuple[str, ...]
    #: Name of another rule whose last drawn index this rule reuses, as an answer follows its question.
    follows: str | None


class WordPools:
    """Draws the alternatives of each rule in random order; none repeats before all have been drawn."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._remaining: dict[str, list[int]] = {}

    def draw(self, rule: str) -> int:
        """Returns the index of an alternative of `rule`."""
        remaining = self._remaining.get(rule)
        if not remaining:
            count = len(_rules()[rule].alternatives)
            remaining = self._remaining[rule] = self._rng.sample(range(count), count)
        return remaining.pop()


@dataclass
class TemplateFiller:
    """Fills the slots of one conversation."""

    pools: WordPools
    rng: random.Random
    #: Start time of the conversation.
    at: datetime
    _bound: dict[str, str] = field(default_factory=dict)  # letter → its text
    _drawn: dict[str, int] = field(default_factory=dict)  # rule → the index drawn last
    _depots: list[tuple[str, int, str]] = field(default_factory=list)  # (city, orders, value) of the last result
    _elapsed_s: int = 0

    def fill(self, text: str) -> str:
        """Returns `text` with every slot replaced."""
        return _SLOT.sub(self._slot, text)

    def _slot(self, match: re.Match[str]) -> str:
        if match["bound"]:
            return self._bound[match["bound"]]
        if match["hidden"]:
            self._bound[match["letter"]] = self._value(match["hidden"])
            return ""
        if match["kind"]:
            return self._counted(match["kind"], int(match["first"]), match["second"])
        value = self._value(match["rule"])
        if match["bind"]:
            self._bound[match["bind"]] = value
        return value

    def _counted(self, kind: str, first: int, second: str) -> str:
        if kind == "n":
            return str(self.rng.randint(first, int(second)))
        if kind == "dec":
            return f"{self.rng.randint(first, int(second))}.{self.rng.randint(0, 9)}"
        return (", " if kind == "list" else "\n").join(self._value(second) for _ in range(first))

    def _value(self, name: str) -> str:
        """Returns a random value if there is a method `_make_NAME`, else an alternative of the rule `name`."""
        make = getattr(self, f"_make_{name}", None)
        if make is not None:
            return str(make())
        rule = _rules()[name]
        index = self._drawn[rule.follows] if rule.follows else self.pools.draw(name)
        self._drawn[name] = index
        return self.fill(rule.alternatives[index])

    def _hex(self, digits: int) -> str:
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"

    def _make_sha(self) -> str:
        return self._hex(10)

    def _make_uuid(self) -> str:
        return f"{self._hex(8)}-{self._hex(4)}-4{self._hex(3)}-a{self._hex(3)}-{self._hex(12)}"

    def _make_callid(self) -> str:
        return "call_" + "".join(self.rng.choices("ABCDEFGHKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz23456789", k=16))

    def _make_clock(self) -> str:
        return f"{self.rng.randint(6, 22):02d}:{self.rng.randint(0, 59):02d}"

    def _make_date(self) -> str:
        return (self.at.date() + timedelta(self.rng.randint(-6, 6))).isoformat()

    def _make_stamp(self) -> str:
        """Returns the time of a log line, which increases within a conversation."""
        self._elapsed_s += self.rng.randint(1, 90)
        moment = self.at - timedelta(minutes=20) + timedelta(seconds=self._elapsed_s)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{self.rng.randint(100, 999)}+09:00"

    def _make_tick(self) -> str:
        self._elapsed_s += self.rng.randint(1, 60)
        return f"{self._elapsed_s // 60:02d}:{self._elapsed_s % 60:02d}"

    def _make_chosen(self) -> str:
        return self._bound[self.rng.choice("abce")]

    def _make_resultrows(self) -> str:
        orders = sorted((self.rng.randint(400, 9000) for _ in range(6)), reverse=True)
        self._depots = [(self._value("city"), count, f"{self.rng.uniform(2, 70):.1f}") for count in orders]
        return ", ".join(
            f'{{"depot": "{name}", "orders": {count}, "value": {value}}}' for name, count, value in self._depots
        )

    def _make_tablerows(self) -> str:
        changes = [f"{self.rng.choice('+-')}{self.rng.uniform(0, 9):.1f} %" for _ in self._depots]
        rows = zip(self._depots, changes, strict=True)
        return "\n".join(f"| {name} | {count:,} | {value} | {change} |" for (name, count, value), change in rows)

    def _make_won(self) -> str:
        return f"₩{self.rng.randint(24, 210)},000"

    def _make_eur(self) -> str:
        return f"€{self.rng.randint(29, 980)}.{self.rng.randint(0, 99):02d}"


def read_data(name: str) -> str:
    """Returns the text of a data file of the demo."""
    return (files("foxing.api.demo") / "data" / name).read_text(encoding="utf-8")


@cache
def _rules() -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for name in ("words.txt", "phrases.txt"):
        for block in re.split(r"^= ", read_data(name), flags=re.MULTILINE)[1:]:
            head, *lines = block.splitlines()
            rule, _, follows = head.partition(" < ")
            rules[rule] = Rule(tuple(line.replace("\\n", "\n") for line in lines if line), follows or None)
    return rules
