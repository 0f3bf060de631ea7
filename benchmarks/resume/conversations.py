"""Banks of interrupted conversations, alone and among others, and what their customers say when they return."""

import gzip
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

from .dialogue import Dialogue, Turn, write_dialogue
from .phrases import HALVES, Half, templates, with_typos
from .shop import Call, Shop, Task

#: The conversations of a bank lie within this time before its end.
ENDS_AT, SPAN = datetime(2026, 3, 1, 18, tzinfo=UTC), timedelta(days=21)
BANK_TASKS = 35  # of a bank, at least
#: Limits of a document of other text.
MOST_TURNS, MOST_CHARACTERS = 60, 20_000
#: Seconds before a message, at least and at most, by role.
_PAUSES_S = {"user": (15, 240), "assistant": (3, 45), "tool": (1, 3)}
_TYPO_RATES = (0.0, 0.0, 0.05)
_OF_THE_SHOP = "tau"  # in the name of a file with conversations about the same orders


@dataclass(frozen=True)
class Return:
    """Words of a customer who returns."""

    text: str
    #: True if with name and postcode.
    named: bool


@dataclass(frozen=True)
class Conversation:
    """Messages of one thread, in time order."""

    thread: str
    messages: Sequence[NewMessage]


@dataclass(frozen=True)
class Interrupted:
    """A task that was not carried out, and how its customer returns."""

    conversation: Conversation
    #: Calls that must still be made.
    pending: Sequence[Call]
    returns: Sequence[Return]


@dataclass(frozen=True)
class Bank:
    """Interrupted tasks of different customers, and other conversations to pad them with, in time order each."""

    name: str
    tasks: Sequence[Interrupted]
    others: Sequence[Conversation]


def make_banks(
    shop: Shop, half: Half, tasks: int, pad: int, seed: int, wordings: int, data: Path | None = None
) -> list[Bank]:
    """Returns banks that have `tasks` interrupted tasks together, at least `BANK_TASKS` each if there are so many, and
    `pad` times as many other conversations, half of them documents of `data` if it is named. Raises `InvalidInput`."""
    rng = random.Random(f"{half} {seed}")
    by_user: dict[str, list[Task]] = {}
    for task in shop.tasks:
        by_user.setdefault(task.user_id, []).append(task)
    users = sorted(user for user in by_user if half_of(user) == half)
    if tasks > len(users):
        raise InvalidInput(f"the half {half} has tasks of {len(users)} customers; ask for at most so many with --tasks")
    rng.shuffle(users)
    count = max(1, tasks // BANK_TASKS)
    groups = [users[number:tasks:count] for number in range(count)]
    return [_bank(shop, f"shop-{n}", group, by_user, half, pad, rng, wordings, data) for n, group in enumerate(groups)]


def half_of(user_id: str) -> Half:
    """Returns the half that a customer belongs to, whatever the seed."""
    return HALVES[hashlib.sha256(user_id.encode()).digest()[0] % len(HALVES)]


def _bank(
    shop: Shop,
    name: str,
    users: Sequence[str],
    by_user: Mapping[str, Sequence[Task]],
    half: Half,
    pad: int,
    rng: random.Random,
    wordings: int,
    data: Path | None,
) -> Bank:
    asked = [write_dialogue(shop, rng.choice(by_user[user]), half, rng, interrupted=True) for user in users]
    documents = list(islice(_documents(data, rng), pad * len(users) // 2)) if data else []
    others = [task for user, theirs in sorted(by_user.items()) if user not in users for task in theirs]
    wanted = pad * len(users) - len(documents)
    if wanted > len(others):
        raise InvalidInput(
            f"there are {len(others)} other conversations of the shop, not {wanted}; name a folder of other texts with "
            "--data, or ask for less with --pad or --tasks"
        )
    padding = [
        write_dialogue(shop, task, half, rng, interrupted=rng.random() < 0.4) for task in rng.sample(others, wanted)
    ]
    alike = Counter((each.facts["deed"], each.facts["things"]) for each in (*asked, *padding))
    numbers = rng.sample(range(10_000, 100_000), len(asked) + len(padding) + len(documents))
    placed = [
        _placed(f"chat-{number}", turns, rng)
        for number, turns in zip(numbers, [*(each.turns for each in (*asked, *padding)), *documents], strict=True)
    ]
    spoken = random.Random(f"{name} {half}")  # so that the number of wordings changes nothing else
    tasks = [
        Interrupted(
            conversation,
            each.pending,
            _returns(each, half, spoken, wordings, number, alike[each.facts["deed"], each.facts["things"]] > 1),
        )
        for number, (each, conversation) in enumerate(zip(asked, placed, strict=False))
    ]
    return Bank(name, tasks, placed[len(asked) :])


def _placed(thread: str, turns: Sequence[Turn], rng: random.Random) -> Conversation:
    """A conversation at some time of the bank's span."""
    time = ENDS_AT - timedelta(seconds=rng.randrange(7200, int(SPAN.total_seconds())))
    messages = []
    for number, turn in enumerate(turns):
        time += timedelta(seconds=rng.uniform(*_PAUSES_S.get(turn.role, (1, 3))))
        content: Any = turn.content if isinstance(turn.content, str) else [turn.content]
        messages.append(
            NewMessage(id=f"{thread}/{number}", role=turn.role, content=content, created_at=time, thread=thread)
        )
    return Conversation(thread, messages)


def _returns(
    dialogue: Dialogue, half: Half, rng: random.Random, wordings: int, number: int, alike: bool
) -> list[Return]:
    """`wordings` returns with name and postcode and as many without, others for each task where they are not all.
    `alike`: things alone do not say which conversation is meant."""
    returns = []
    for named, slot in ((True, "return_named"), (False, "return_plain")):
        known = templates(slot, half)
        for step in range(min(wordings, len(known))):
            template = known[(number + step) % len(known)]
            if alike and not named and "{things" in template:
                template += " The number is {orders}."
            text = with_typos(template, rng.choice(_TYPO_RATES), rng).format_map(dialogue.facts)
            returns.append(Return(text, named))
    return returns


def _documents(folder: Path, rng: random.Random) -> Iterator[list[Turn]]:
    """Documents of the files of a folder, one of each file after another, at random."""
    files = [file for file in sorted(folder.glob("*.jsonl.gz")) if _OF_THE_SHOP not in file.name]
    if not files:
        raise InvalidInput(f"{folder} has no files *.jsonl.gz; name a folder of JSON Lines of messages with --data")
    shuffled = []
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            lines = [line for line in stream if line.strip()]
        rng.shuffle(lines)
        shuffled.append(iter(lines))
    while shuffled:
        for lines_left in list(shuffled):
            line = next(lines_left, None)
            if line is None:
                shuffled.remove(lines_left)
            elif turns := _turns(json.loads(line)):
                yield turns


def _turns(document: Mapping[str, Any]) -> list[Turn]:
    """The first messages of a document."""
    turns: list[Turn] = []
    left = MOST_CHARACTERS
    for message in document["messages"][:MOST_TURNS]:
        left -= len(message["content"])
        if left < 0:
            break
        role = message["role"]
        turns.append(Turn(role if role in ("user", "assistant", "tool") else "user", message["content"]))
    return turns
