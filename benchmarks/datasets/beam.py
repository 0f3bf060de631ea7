"""BEAM: long chats of a user with an assistant (github.com/mohammadtavakoli78/BEAM, folder `chats`).

Chats of 10M tokens are not supported: each combines several plans in a structure of its own.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.locomo import Conversation, Question
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

#: Chats above their nominal size have a truncated version, which the questions were checked against. The spelling is
#: BEAM's.
FILES = ("chat_trunecated.json", "chat.json")
BETWEEN_TURNS = timedelta(minutes=1)  # few messages have a date, and none a time of day
START = datetime(2024, 1, 1, tzinfo=UTC)  # of a chat whose first message has no date
_TIME = "%B-%d-%Y"
#: Suffix by which BEAM's authors link a message to its plan.
_PLACE = re.compile(r"\s*->->\s*\d+,\s*(?:\d+|N/A)\s*\)?\s*\Z")
#: Keys of the answer by kind of question; for instructions and preferences, what the user said.
_ANSWERS = (
    *("answer", "ideal_answer", "ideal_response", "ideal_summary"),
    *("instruction_being_tested", "preference_being_tested"),
)


def read_beam(folder: Path) -> list[Conversation]:
    """Returns the chats of one size in numerical order, without questions that name no evidence. Skips folders without
    a chat. Raises `InvalidInput`."""
    numbered = sorted((int(place.name), place) for place in folder.iterdir() if place.name.isdigit())
    chats = ((place, next((place / name for name in FILES if (place / name).is_file()), None)) for _, place in numbered)
    return [_conversation(place, chat) for place, chat in chats if chat is not None]


def _conversation(place: Path, file: Path) -> Conversation:
    name = f"{place.parent.name}-{place.name}"
    try:
        batches = json.loads(file.read_text(encoding="utf-8"))
        messages = list(_messages(batches, name))
        asked = json.loads((place / "probing_questions" / "probing_questions.json").read_text(encoding="utf-8"))
        ids = {str(message.id) for message in messages}
        questions = [_question(each, kind, name, ids) for kind, group in asked.items() for each in group]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{file} is not a BEAM chat with questions ({error})") from error
    return Conversation(messages, [question for question in questions if question.evidence], _sessions(batches, name))


def _messages(batches: Any, name: str) -> Iterator[NewMessage]:
    at = START
    for batch in batches:
        for turn in batch["turns"]:
            for message in turn:
                anchor = message.get("time_anchor")
                at = max(at + BETWEEN_TURNS, _day(anchor)) if anchor else at + BETWEEN_TURNS
                content = _PLACE.sub("", message["content"])
                yield NewMessage(
                    id=f"{name}/{message['id']}", role=message["role"], content=content, created_at=at, thread=name
                )


def _sessions(batches: Any, name: str) -> dict[str, str]:
    """Returns message id → its batch; BEAM has no smaller unit with a date."""
    return {
        f"{name}/{message['id']}": f"{name}/batch {number}"
        for number, batch in enumerate(batches)
        for turn in batch["turns"]
        for message in turn
    }


def _day(anchor: str) -> datetime:
    return datetime.strptime(anchor, _TIME).replace(tzinfo=UTC)


def _question(asked: Mapping[str, Any], kind: str, name: str, ids: set[str]) -> Question:
    evidence = frozenset(f"{name}/{number}" for number in _numbers(asked.get("source_chat_ids"))) & ids
    answer = next((str(asked[key]) for key in _ANSWERS if asked.get(key)), "")
    return Question(str(asked["question"]), evidence, answer, kind)


def _numbers(source: Any) -> Iterator[int]:
    """Yields message numbers from a list, or from a mapping to lists."""
    if isinstance(source, Mapping):
        source = list(source.values())
    if isinstance(source, list):
        for each in source:
            yield from _numbers(each)
    elif isinstance(source, int):
        yield source
