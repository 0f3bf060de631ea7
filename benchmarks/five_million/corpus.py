"""Conversations of a folder, spread over eighteen months, with facts between them to ask for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.locomo import read_locomo
from foxing.encoder.bench.documents import read_messages
from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory.errors import InvalidInput

SPAN = timedelta(days=548)
START = datetime(2025, 1, 6, 8, tzinfo=UTC)
#: People and things that facts are about; a pair occurs at most once.
_PEOPLE = (
    "Abelard",
    "Bettina",
    "Casimir",
    "Dorothea",
    "Evander",
    "Fiammetta",
    "Gideon",
    "Henrietta",
    "Ismene",
    "Jarek",
)
_THINGS = (
    "greenhouse",
    "sailboat",
    "harpsichord",
    "workshop",
    "apiary",
    "telescope",
    "cellar",
    "kiln",
    "orchard",
    "loom",
)


@dataclass(frozen=True)
class Fact:
    """A fact to ask for, stated by one message."""

    id: str
    question: str
    #: The word that answers the question.
    answer: str
    said_at: datetime


@dataclass(frozen=True)
class Corpus:
    """Messages in time order, as `Memory.store` takes them, and the facts in them."""

    messages: list[dict[str, Any]]
    facts: list[Fact]
    #: Text tokens of all messages, and of one copy of the texts.
    text_tokens: int
    distinct_tokens: int
    characters: int


def read_corpus(folder: Path, tokens: int, facts: int) -> Corpus:
    """Returns at least `tokens` text tokens of the conversations in `folder` and below, with `facts` facts: LoCoMo
    (`locomo*.json`), chats of BEAM (`chat.json`), and JSON Lines of documents with messages (`*.jsonl`), gzipped or
    not. Conversations are repeated if there are not enough. Raises `InvalidInput` if there are none."""
    conversations = list(_conversations(folder))
    if not conversations:
        raise InvalidInput(f"{folder} holds no conversations: no locomo*.json, chat.json or *.jsonl")
    taken: list[dict[str, Any]] = []
    total = distinct = 0
    for turn in count():
        for number, conversation in enumerate(conversations):
            for message in conversation:
                total += count_text_tokens(message["content"])
                taken.append({**message, "thread": f"talk-{turn}-{number}"})
            if total >= tokens:
                break
        distinct = distinct or total
        if total >= tokens:
            break
    return _spread(taken, facts, total, min(distinct, total))


def _conversations(folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Yields the messages of each conversation, with role, name and content."""
    for file in sorted(folder.rglob("locomo*.json*")):
        for found in read_locomo(file):
            yield [{"role": m.role, "name": m.name, "content": m.text} for m in found.messages]
    for file in sorted(folder.rglob("chat.json")):
        yield list(_said(json.loads(file.read_text(encoding="utf-8"))))
    for file in sorted(folder.rglob("*.jsonl*")):
        for document in read_messages(file):
            yield [_message(message) for message in document["messages"] if message.get("content")]


def _said(document: Any) -> Iterator[dict[str, Any]]:
    """Yields the messages of a BEAM chat, whose nesting depends on its size."""
    if isinstance(document, dict) and isinstance(document.get("content"), str) and "role" in document:
        yield _message(document)
    elif isinstance(document, dict | list):
        for member in document.values() if isinstance(document, dict) else document:
            yield from _said(member)


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": message["role"], "name": message.get("name"), "content": message["content"]}


def _spread(taken: Sequence[Mapping[str, Any]], facts: int, tokens: int, distinct: int) -> Corpus:
    """Places the messages at even distances in time, with facts between them."""
    random = Random(19)
    pairs = [(person, thing) for person in _PEOPLE for thing in _THINGS]
    told = random.sample(pairs, min(facts, len(pairs)))
    places = {(2 * n + 1) * len(taken) // (2 * len(told)): n for n in range(len(told))}
    step = SPAN / max(1, len(taken))
    messages: list[dict[str, Any]] = []
    asked: list[Fact] = []
    for number, message in enumerate(taken):
        at = START + number * step
        messages.append({**message, "created_at": at})
        if number in places:
            person, thing = told[places[number]]
            code = f"{random.choice('BCDFGHKLMPRST')}{random.randrange(1000, 9999)}"
            text = f"{person} keeps the key of the {thing} in locker {code}."
            fact = Fact(f"fact-{places[number]}", f"Where does {person} keep the key of the {thing}?", code, at)
            asked.append(fact)
            messages.append({"id": fact.id, "role": "user", "content": text, "created_at": at, "thread": "facts"})
    characters = sum(len(message["content"]) for message in messages)
    return Corpus(messages, asked, tokens, distinct, characters)
