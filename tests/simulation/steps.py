"""The steps of a simulation: what people, agents and operators do, chosen by one random generator."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from io import BytesIO
from random import Random
from typing import Any

from PIL import Image

from .languages import ENGLISH, LANGUAGES, content, fact, own_word, text

PEOPLE = ("Ann", "Bo", "Chidi", "Müller")
THREADS = ("daily", "harbour", "垂直")
MAX_BANKS = 3
POLICIES: tuple[Mapping[str, Any], ...] = (
    {},
    {"age_from": "message"},
    {"keep_text": "always"},
    {"keep_text": "until:tiny", "index": "faded"},
    {"fresh": "large", "steps": [{"after": "P3D", "tier": "base"}, {"after": "P20D", "tier": "micro"}]},
    {"seal_after": "P2D", "undo_window": "P1D"},
    {"images": "keep", "undo_window": "P60D"},
)
#: Faults at a statement or a commit of the step, of the embedder, and an erasure by another process while pages are
#: encoded.
FAULTS = (
    "kill",
    "kill-after-commit",
    "full",
    "read-only",
    "clock-ahead",
    "clock-back",
    "clock-runs",
    "embedder",
    "erasure",
)
#: Faults that leave a step unfinished.
INTERRUPTING = frozenset({"kill", "kill-after-commit", "full", "read-only"})
#: Calls that encode pages, which meet an erasure most of the time.
ENCODING = frozenset({"tick", "seal", "age", "undo", "reencode", "erase_thread", "erase_message"})
#: Steps that no fault meets.
FAULTLESS = frozenset({"advance", "reopen", "switch", "fork"})
#: Calls that the HTTP service has.
SERVED = frozenset(
    {
        *("store", "again", "conflict", "seal", "age", "recall", "window", "context", "pin", "undo", "policy", "fold"),
        *("erase_message", "erase_thread", "erase_person", "erase_bank", "move", "view", "images", "reencode"),
        *("record", "hold", "release"),
    }
)
#: Call → how often it is chosen.
WEIGHTS = {
    "store": 30,
    "again": 4,
    "conflict": 2,
    "advance": 22,
    "tick": 14,
    "seal": 4,
    "age": 3,
    "recall": 8,
    "window": 3,
    "context": 3,
    "pin": 3,
    "undo": 4,
    "erase_message": 5,
    "erase_thread": 1,
    "erase_person": 1,
    "erase_bank": 0.4,
    "move": 1.5,
    "backup": 1,
    "restore": 0.7,
    "check": 1.5,
    "policy": 2,
    "reopen": 3,
    "switch": 6,
    "reindex": 0.7,
    "reencode": 0.5,
    "view": 2,
    "images": 1.5,
    "fold": 4,
    "fork": 0.3,
    "record": 4,
    "hold": 0.6,
    "release": 1.2,
    "bundle": 1,
}
#: Every fault with every call that it can meet, so that those of the seeds meet them all in turn.
PAIRS = tuple(
    (kind, name) for name in WEIGHTS if name not in FAULTLESS for kind in (FAULTS if name in ENCODING else FAULTS[:-1])
)
#: Share of steps that are such a call.
MEETINGS = 0.1
SESSIONS = ("refactor", "release notes")
READERS = ("text", "native", "claude")


@dataclass(frozen=True)
class Fault:
    """A fault during a step."""

    kind: str
    #: Number of the statement or commit of the step at which it happens.
    at: int


@dataclass(frozen=True)
class Step:
    """One call: its name, its arguments, and a fault during it."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    #: Way to the bank: "python" or "http".
    door: str = "python"

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        fault = "" if self.fault is None else f", fault=Fault({self.fault.kind!r}, {self.fault.at})"
        door = "" if self.door == "python" else f", door={self.door!r}"
        return f"simulation.run(Step({self.name!r}, dict({values}){fault}{door}))"


def picture(rng: Random) -> str:
    """Returns a small PNG in Base64."""
    image = Image.new("RGB", (rng.randrange(8, 200), rng.randrange(8, 120)), tuple(rng.randrange(256) for _ in "rgb"))
    file = BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@dataclass
class _Bank:
    """What the generator knows of a bank."""

    words: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    contents: list[tuple[str, Any]] = field(default_factory=list)


class World:
    """Generator of the steps of a seed. It depends on nothing that the product does."""

    def __init__(self, seed: int, *, faults: bool = True) -> None:
        self.rng = Random(f"world {seed}")
        self.salt = self.rng.randrange(4096)
        self.faults = faults and self.rng.random() < 0.85
        self.rate = self.rng.choice((0.05, 0.2, 0.5))
        self.served = self.rng.choice((0.0, 0.05, 0.3))
        self.number = 0
        self.backups = 0
        self.banks: dict[str, _Bank] = {}
        first = seed * 7 % len(PAIRS)
        self.meetings = [*PAIRS[first:], *PAIRS[:first]]
        #: Steps that come next.
        self.queue: list[Step] = []

    def steps(self, number: int) -> Iterator[Step]:
        """Yields the first steps."""
        for _ in range(number):
            step = self._next()
            if self.faults and step.fault is None and step.name not in FAULTLESS and self.rng.random() < self.rate:
                at = min(int(self.rng.expovariate(1 / 8)) + 1, 400)
                kinds = (*FAULTS, *("erasure",) * 4) if step.name in ENCODING else FAULTS[:-1]
                step = replace(step, fault=Fault(self.rng.choice(kinds), at))
                if step.name in ENCODING and step.fault.kind in INTERRUPTING and self.rng.random() < 0.5:
                    # the clock of a machine is often set when it starts again
                    back = -86_400 * self.rng.choice((1, 20)) * self.rng.random()
                    self.queue += [Step("advance", {"seconds": round(back, 3)}), Step("tick")]
            if step.name in SERVED and self.rng.random() < self.served:
                step = replace(step, door="http")
            yield step

    def _bank(self) -> str:
        if len(self.banks) < MAX_BANKS and (not self.banks or self.rng.random() < 0.03):
            name = f"bank{len(self.banks)}"
            self.banks[name] = _Bank()
            return name
        return self.rng.choice(list(self.banks))

    def _next(self) -> Step:
        if self.queue:
            return self.queue.pop(0)
        if self.faults and self.banks and self.rng.random() < MEETINGS:
            return self._meeting()
        return self._step()

    def _meeting(self) -> Step:
        """Returns a call with the next of the faults that it is to meet, at one of its first statements."""
        kind, name = self.meetings.pop(0)
        self.meetings.append((kind, name))
        arguments = getattr(self, f"_{name}", self._of_bank)(self._bank())
        return Step(name, arguments, Fault(kind, self.rng.randrange(1, 7)))

    def _step(self) -> Step:
        rng = self.rng
        name = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if not self.banks:
            name = "store"
        bank = self._bank()
        arguments = getattr(self, f"_{name}", self._of_bank)(bank)
        return Step(name, arguments)

    def _of_bank(self, bank: str) -> dict[str, Any]:
        return {"bank": bank}

    def _nothing(self, bank: str) -> dict[str, Any]:
        return {}

    _tick = _check = _reopen = _switch = _fork = _nothing

    def _message(self, bank: str) -> dict[str, Any]:
        rng = self.rng
        record = self.banks[bank]
        self.number += 1
        word = own_word(self.number, self.salt)
        record.words.append(word)
        body = content(rng, word, picture(rng))
        if record.contents and rng.random() < 0.05:
            word, body = rng.choice(record.contents)  # the same words twice
        elif len(str(body)) < 20_000:
            record.contents.append((word, body))
        fields: dict[str, Any] = {"content": body, "role": rng.choice(("user", "assistant", "tool"))}
        if rng.random() < 0.7:
            fields["id"] = f"m{self.number}"
            record.keys.append(fields["id"])
        if rng.random() < 0.5:
            fields["name"] = rng.choice(PEOPLE)
        if rng.random() < 0.15:
            fields["age_s"] = rng.choice((60, 86_400, 86_400 * 40, 86_400 * 400)) * rng.random()
        if rng.random() < 0.04:
            fields["expires_after"] = timedelta(seconds=int(rng.choice((3_600, 86_400, 86_400 * 40))))
        if rng.random() < 0.2:
            fields["metadata"] = {"channel": rng.choice(("a", "b")), "n": rng.randrange(5)}
        return fields

    def _store(self, bank: str) -> dict[str, Any]:
        number = 1 if self.rng.random() < 0.6 else self.rng.randrange(1, 9)
        messages = [self._message(bank) for _ in range(number)]
        return {"bank": bank, "thread": self.rng.choice(THREADS), "messages": messages}

    def _key(self, bank: str) -> str:
        keys = self.banks[bank].keys
        return self.rng.choice(keys) if keys else "m0"

    def _again(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "id": self._key(bank)}

    def _conflict(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "id": self._key(bank)}

    def _advance(self, bank: str) -> dict[str, Any]:
        rng = self.rng
        seconds = rng.choice((0, 60, 3_600, 86_400, 86_400 * 3, 86_400 * 8, 86_400 * 31, 86_400 * 120, 86_400 * 370))
        seconds *= rng.random()
        if self.faults and rng.random() < 0.08:
            seconds = self._step_of_clock()
        return {"seconds": round(seconds, 3)}

    def _step_of_clock(self) -> float:
        """Returns the seconds by which a clock is set back."""
        return round(-self.rng.choice((1, 120, 4_000, 86_400, 86_400 * 20)) * self.rng.random(), 3)

    def _recall(self, bank: str) -> dict[str, Any]:
        rng = self.rng
        words = self.banks[bank].words
        query = rng.choice(words) if words and rng.random() < 0.6 else rng.choice(rng.choice(LANGUAGES))
        return {"bank": bank, "query": query, "limit": rng.choice((1, 5, 50)), "track": rng.random() < 0.5}

    def _window(self, bank: str) -> dict[str, Any]:
        days = sorted(self.rng.sample(range(800), 2))
        return {"bank": bank, "until_days": days[0], "since_days": days[1]}

    def _context(self, bank: str) -> dict[str, Any]:
        words = self.banks[bank].words
        query = self.rng.choice(words) if words else "harbour"
        return {
            "bank": bank,
            "reader": self.rng.choice(READERS),
            "budget": self.rng.choice((300, 2_000)),
            "query": query,
        }

    def _images(self, bank: str) -> dict[str, Any]:
        words = self.banks[bank].words
        query = self.rng.choice(words) if words else "harbour"
        return {"bank": bank, "query": query, "reader": self.rng.choice(READERS[1:])}

    def _view(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "number": self.rng.randrange(20), "tier": self.rng.choice((None, "small", "micro"))}

    def _fold(self, bank: str) -> dict[str, Any]:
        rng = self.rng
        turns = []
        for _ in range(rng.randrange(1, 9)):
            self.number += 1
            word = own_word(self.number, self.salt)
            request = rng.choice(rng.choice(LANGUAGES))
            output = text(rng, word, rng.randrange(200, 6_000))
            turns.append(
                {"word": word, "request": request, "path": fact(rng), "output": output, "answer": rng.choice(ENGLISH)}
            )
        return {
            "session": rng.choice(SESSIONS),
            "turns": turns,
            "reader": rng.choice(READERS[::2]),
            "budget": rng.choice((12_000, 30_000)),
            "cache": rng.choice(("warm", "cold")),
        }

    def _pin(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "number": self.rng.randrange(20), "pinned": self.rng.random() < 0.5}

    def _undo(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "number": self.rng.randrange(20) if self.rng.random() < 0.3 else None}

    def _erase_message(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "number": self.rng.randrange(1 << 16)}

    def _erase_thread(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "thread": self.rng.choice(THREADS)}

    def _erase_person(self, bank: str) -> dict[str, Any]:
        return {"person": self.rng.choice(PEOPLE)}

    def _move(self, bank: str) -> dict[str, Any]:
        target = f"bank{self.rng.randrange(MAX_BANKS)}"
        self.banks.setdefault(target, _Bank())
        return {"bank": bank, "target": target, "backdate": self.rng.random() < 0.3}

    def _record(self, bank: str) -> dict[str, Any]:
        rng = self.rng
        return {"bank": bank, "writes": [self._write_of_record() for _ in range(rng.randrange(1, 5))]}

    def _write_of_record(self) -> dict[str, Any]:
        rng = self.rng
        self.number += 1
        place = {"namespace": rng.choice((["users", "ann"], ["users"], ["垂直"])), "key": f"k{rng.randrange(6)}"}
        if rng.random() < 0.25:
            return {"op": "delete", **place}
        word = own_word(self.number, self.salt)
        value = rng.choice(({"word": word, "n": self.number}, word, [word, None, 1.5], {"text": f"{word} " * 200}))
        return {"op": "put", **place, "value": value}

    def _bundle(self, bank: str) -> dict[str, Any]:
        target = f"bank{self.rng.randrange(MAX_BANKS)}"
        record = self.banks.setdefault(target, _Bank())
        record.words += self.banks[bank].words
        record.keys += self.banks[bank].keys
        return {"bank": bank, "target": target}

    def _backup(self, bank: str) -> dict[str, Any]:
        self.backups += 1
        return {"number": self.backups}

    def _restore(self, bank: str) -> dict[str, Any]:
        return {"number": self.rng.randrange(self.backups) + 1 if self.backups else 0}

    def _policy(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "policy": self.rng.choice(POLICIES)}

    def _reindex(self, bank: str) -> dict[str, Any]:
        return {"bank": bank, "words": self.rng.random() < 0.5}
