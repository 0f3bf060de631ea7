"""REALTALK: real conversations of pairs of people over three weeks (github.com/danny911kr/REALTALK, folder `data`)."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.locomo import Conversation, Question, turn_sessions
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

_SESSION = re.compile(r"session_(\d+)")
_TIME = "%d.%m.%Y, %H:%M:%S"
#: “D3:7”; a range is “D3:2-D3:5” or “D3:2-5”. Some contain a blank, or a semicolon in place of the colon.
_EVIDENCE = re.compile(r"D\s*(\d+)[:;]\s*(\d+)(?:\s*-\s*(?:D\s*\1[:;])?\s*(\d+))?")


def read_realtalk(folder: Path) -> list[Conversation]:
    """Returns the conversations of `Chat_*.json`, without questions whose evidence is not a message. Raises
    `InvalidInput`."""
    files = sorted(folder.glob("Chat_*.json"), key=lambda file: [int(n) for n in re.findall(r"\d+", file.name)])
    return [_conversation(file) for file in files]


def _conversation(file: Path) -> Conversation:
    try:
        chat = json.loads(file.read_text(encoding="utf-8"))
        messages = list(_messages(chat, file.stem))
        ids = {str(message.id) for message in messages}
        questions = [_question(asked, file.stem, ids) for asked in chat["qa"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(f"{file.name} is not a REALTALK conversation with questions ({error})") from error
    return Conversation(messages, [question for question in questions if question.evidence], turn_sessions(ids))


def _messages(chat: Mapping[str, Any], name: str) -> Iterator[NewMessage]:
    """Yields the messages. Captions of images follow the text in brackets, as in LoCoMo. The first speaker is the
    user."""
    user = chat["name"]["speaker_1"]
    sessions = sorted((int(match[1]), key) for key in chat if (match := _SESSION.fullmatch(key)))
    for _, key in sessions:
        for turn in chat[key]:
            caption = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
            yield NewMessage(
                id=f"{name}/{turn['dia_id']}",
                role="user" if turn["speaker"] == user else "assistant",
                name=turn["speaker"],
                content=turn["clean_text"] + caption,
                created_at=datetime.strptime(turn["date_time"], _TIME).replace(tzinfo=UTC),
                thread=name,
            )


def _question(asked: Mapping[str, Any], name: str, ids: set[str]) -> Question:
    evidence = frozenset(f"{name}/{turn}" for turn in _turns(asked["evidence"])) & ids
    return Question(str(asked["question"]), evidence, str(asked.get("answer") or ""), asked.get("category"))


def _turns(lines: Iterable[object]) -> Iterator[str]:
    """Yields turn ids such as D3:7 from lines that may hold several ids and ranges."""
    for line in lines:
        for session, first, last in _EVIDENCE.findall(str(line)):
            for number in range(int(first), int(last or first) + 1):
                yield f"D{session}:{number}"
