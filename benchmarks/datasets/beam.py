"""BEAM: long chats of a user with an assistant (github.com/mohammadtavakoli78/BEAM, folder `chats`).

The chats of 10M tokens, which are several plans in one, are not read.
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

#: Chats that are longer than their size says have a shorter version, which the questions were checked against. It is
#: spelled like that.
FILES = ("chat_trunecated.json", "chat.json")
BETWEEN_TURNS = timedelta(minutes=1)  # only some messages are dated, by their day
START = datetime(2024, 1, 1, tzinfo=UTC)  # of a chat whose first message is not
_TIME = "%B-%d-%Y"
#: What the makers wrote after a message to find its plan again.
_PLACE = re.compile(r"\s*->->\s*\d+,\s*(?:\d+|N/A)\s*\)?\s*\Z")
#: Where the answer is, by kind of question; of an instruction or a preference, what the user said.
_ANSWERS = (
    *("answer", "ideal_answer", "ideal_response", "ideal_summary"),
    *("instruction_being_tested", "preference_being_tested"),
)


def read_beam(folder: Path) -> list[Conversation]:
    """The chats of one size, in the order of their numbers, without questions that name no evidence. A folder without
    a chat is skipped. Raises `InvalidInput`."""
    numbered = sorted((int(place.name), place) for place in folder.iterdir() if place.name.isdigit())
    chats = ((place, next((place / name for name in FILES if (place / name).is_file()), None)) for _, place in numbered)
    return [_conversation(place, chat) for place, chat in chats if chat is not None]


def _conversation(place: Path, file: Path) -> Conversation:
    name = f"{place.parent.name}-{place.name}"
    try:
        messages = list(_messages(json.loads(file.read_text(encoding="utf-8")), name))
        asked = json.loads((place / "probing_questions" / "probing_questions.json").read_text(encoding="utf-8"))
        ids = {str(message.id) for message in messages}
        questions = [_question(each, kind, name, ids) for kind, group in asked.items() for each in group]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{file} is not a chat of BEAM with its questions ({error})") from error
    return Conversation(messages, [question for question in questions if question.evidence])


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


def _day(anchor: str) -> datetime:
    return datetime.strptime(anchor, _TIME).replace(tzinfo=UTC)


def _question(asked: Mapping[str, Any], kind: str, name: str, ids: set[str]) -> Question:
    evidence = frozenset(f"{name}/{number}" for number in _numbers(asked.get("source_chat_ids"))) & ids
    answer = next((str(asked[key]) for key in _ANSWERS if asked.get(key)), "")
    return Question(str(asked["question"]), evidence, answer, kind)


def _numbers(source: Any) -> Iterator[int]:
    """Numbers of messages from a list of them, or from lists by what they say."""
    if isinstance(source, Mapping):
        source = list(source.values())
    if isinstance(source, list):
        for each in source:
            yield from _numbers(each)
    elif isinstance(source, int):
        yield source
