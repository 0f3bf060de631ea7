"""LoCoMo: long conversations, with questions and the messages that answer them."""

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from foxing.memory.errors import InvalidInput
from foxing.memory.ingest.importers.locomo import locomo_messages
from foxing.memory.values.messages import NewMessage


@dataclass(frozen=True)
class Question:
    """A question with its evidence."""

    text: str
    #: Ids of the messages that answer it; at least one.
    evidence: frozenset[str]
    #: The gold answer; empty where there is none.
    answer: str = ""
    #: 1 to 5 in LoCoMo; a name or number in other datasets.
    category: int | str | None = None
    #: When it is asked; None for now.
    asked_at: datetime | None = None


@dataclass(frozen=True)
class Conversation:
    """A conversation and the questions about it."""

    messages: list[NewMessage]
    questions: list[Question]
    #: Message id → its session.
    sessions: Mapping[str, str] = field(default_factory=dict)


def turn_sessions(ids: Iterable[str]) -> dict[str, str]:
    """Returns message id → session, for ids such as `conv-26/D3:7`."""
    return {key: key.rpartition(":")[0] for key in ids}


def read_locomo(file: Path) -> list[Conversation]:
    """Returns the conversations of a JSON file, gzipped or not, without questions that name no evidence. Raises
    `InvalidInput` if the file cannot be read or is not LoCoMo with questions."""
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rt", encoding="utf-8") as stream:
            conversations = [_conversation(sample) for sample in json.load(stream)]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{file.name} is not a LoCoMo file with questions ({error})") from error
    if not any(conversation.questions for conversation in conversations):
        raise InvalidInput(f"{file.name} has no questions with evidence")
    return conversations


def _conversation(sample: Mapping[str, Any]) -> Conversation:
    sample_id, asked, _ = str(sample["sample_id"]), sample["qa"], sample["conversation"]
    messages = [message for message, _ in locomo_messages(sample, UTC)]
    ids = {str(message.id) for message in messages}
    questions = [_question(question, sample_id, ids) for question in asked]
    return Conversation(messages, [question for question in questions if question.evidence], turn_sessions(ids))


def _question(question: Mapping[str, Any], sample_id: str, ids: set[str]) -> Question:
    """`ids`: ids of the conversation's messages."""
    answer = question.get("answer")
    return Question(
        text=str(question["question"]),
        evidence=frozenset(_evidence(question, sample_id) & ids),
        answer="" if answer is None else str(answer),
        category=question.get("category"),
    )


def _evidence(question: Mapping[str, Any], sample_id: str) -> set[str]:
    return {f"{sample_id}/{turn}" for turn in split_turns(question.get("evidence", []))}


def split_turns(lines: Iterable[object]) -> set[str]:
    """Returns turn ids such as D3:7, several of which may be on one line."""
    return {turn for line in lines for turn in re.split(r"[;,\s]+", str(line)) if turn}
