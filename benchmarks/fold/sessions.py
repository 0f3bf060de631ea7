"""Agent sessions of a given size in each request format, made from documents: user turns, thinking, tool calls and
results, with facts planted in them."""

import base64
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.images.pictures import made_images
from foxing.encoder.text_tokens import count_text_tokens

Json = dict[str, Any]

#: Calls of the model in a session, and those between two turns of the user.
CALLS, CALLS_A_TURN = 200, 5
FACTS = 40
SYSTEM: list[Any] = [
    {"type": "text", "text": "x-billing-header: version=2.1.0"},
    {"type": "text", "text": "You are a coding agent. " + "Follow the conventions of the project. " * 60},
]
TOOLS: list[Any] = [
    {
        "name": name,
        "description": f"Runs the tool {name} in the working directory of the project and returns what it prints.",
        "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    }
    for name in ("run", "open_file", "edit", "search")
]
_TEAMS = ["Titan", "Kestrel", "Marlin", "Osprey", "Juniper", "Basalt", "Cobalt", "Harrier", "Lynx", "Meridian"]
_PLACES = ["Lisbon", "Oslo", "Busan", "Tallinn", "Quito", "Dakar", "Perth", "Turin", "Bergen", "Cork"]
_THINGS = ["release", "migration", "audit", "rollout", "workshop"]


@dataclass(frozen=True)
class Fact:
    """A fact planted in a session."""

    #: Words that must be in what is sent for it to count as there.
    wanted: tuple[str, ...]
    said: str
    identifier: bool
    #: Number of the call whose turn says it, and who says it.
    call: int
    role: str


@dataclass(frozen=True)
class Turn:
    """A call of the model: what the user says before it, and what it returns."""

    user: str | None
    thinking: str
    text: str
    #: Argument and result of the tool that it calls; empty for a call that ends the turn.
    command: str
    result: str
    #: PNG in Base64 that the tool returns beside its result; empty for none.
    screenshot: str = ""


@dataclass(frozen=True)
class Session:
    """A session, independent of request formats."""

    turns: Sequence[Turn]
    facts: Sequence[Fact]


def load_texts(folder: Path) -> dict[str, list[str]]:
    """Returns role → texts of the documents of agents, in order."""
    texts: dict[str, list[str]] = {"user": [], "assistant": [], "tool": []}
    for name in ("en_swe_agent", "en_tau_retail", "en_aider"):
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                for message in json.loads(line)["messages"]:
                    role = message["role"]
                    if name == "en_swe_agent" and role == "user":
                        role = "tool"
                    texts[role].append(str(message["content"]))
    return texts


def make_session(texts: dict[str, list[str]], tokens: int, seed: int = 1, calls: int = CALLS) -> Session:
    """Returns a session of so many calls whose conversation has about `tokens` tokens. Sessions longer than the
    documents repeat them."""
    rng = random.Random(seed)
    facts = _facts(rng, calls)
    by_call: dict[tuple[int, str], list[str]] = {}
    for fact in facts:
        by_call.setdefault((fact.call, fact.role), []).append(fact.said)
    sources = {role: _cycle(list(said), rng) for role, said in texts.items()}
    each = (tokens - count_text_tokens(json.dumps([SYSTEM, TOOLS]))) / calls
    turns: list[Turn] = []
    total = 0.0
    for call in range(calls):
        ends = (call + 1) % CALLS_A_TURN == 0
        user = None
        if call % CALLS_A_TURN == 0:
            user = "\n".join([next(sources["user"])[: int(each * 4)], *by_call.get((call, "user"), ())])
        text = "\n".join([next(sources["assistant"])[: int(each)], *by_call.get((call, "assistant"), ())])
        thinking = next(sources["assistant"])[: int(each * 0.4)]
        command = "" if ends else f"grep -rn {sha256(str(call).encode()).hexdigest()[:8]} src/module_{call % 17}.py"
        here = by_call.get((call, "tool"), ())
        total += sum(count_text_tokens(part or "") + 4 for part in (user, text, thinking, command, *here)) + 8
        result = list[str]()
        while not ends and total < (call + 1) * each:
            part = next(sources["tool"])
            size, left = count_text_tokens(part), (call + 1) * each - total
            result.append(part if size <= left else part[: max(1, int(len(part) * left / size))])
            total += count_text_tokens(result[-1]) + 1
        middle = len(result) // 2
        said = "" if ends else "\n".join([*result[:middle], *here, *result[middle:]]) or "done"
        turns.append(Turn(user, thinking, text, command, said))
    return Session(turns, facts)


def with_screenshots(session: Session, number: int) -> Session:
    """Returns a session with so many different screenshots, evenly among the turns that call a tool."""
    calling = [place for place, turn in enumerate(session.turns) if turn.command]
    places = {calling[n * len(calling) // number] for n in range(number)} if number else set()
    made = iter(made_images(len(places), ("screenshot",)))
    turns = [
        replace(turn, screenshot=base64.b64encode(next(made).content).decode()) if place in places else turn
        for place, turn in enumerate(session.turns)
    ]
    return replace(session, turns=turns)


def _cycle(said: list[str], rng: random.Random) -> Iterator[str]:
    while True:
        rng.shuffle(said)
        yield from (text for text in said if text.strip())


def _facts(rng: random.Random, calls: int) -> list[Fact]:
    """Returns half statements and half identifiers, a half said by the user, a quarter each by model and tools."""
    facts: list[Fact] = []
    for number in range(FACTS):
        role = ("user", "assistant", "user", "tool")[number // 2 % 4]
        call = number * max(1, calls - 15) // FACTS
        call -= call % CALLS_A_TURN if role == "user" else (call + 1) % CALLS_A_TURN == 0
        if number % 2:
            name = sha256(f"fact {number} {rng.random()}".encode()).hexdigest()
            word = (name[:12], f"ORD-{int(name[:8], 16) % 100000}", f"src/{name[:5]}/{name[5:9]}.py")[number // 2 % 3]
            facts.append(Fact((word,), f"Please keep {word} for later.", True, call, role))
        else:
            team, place = _TEAMS[number // 2 % 10], _PLACES[(number // 2 * 7 + number // 20) % 10]
            day, thing = rng.randrange(1, 29), _THINGS[number % 5]
            said = f"The {team} {thing} moves to {place} on {day} March."
            facts.append(Fact((team, place, f"{day} March"), said, False, call, role))
    return facts
