"""LongMemEval: questions, each with a history of sessions between a user and an assistant of its own
(github.com/xiaowu0162/LongMemEval, files `longmemeval_*.json`).

Evidence is what the authors' retrieval code counts: the turns marked `has_answer` in the sessions that
`answer_session_ids` names, and the sessions of these turns. Questions to abstain from are left out, and by default so
are the turns of the assistant and the questions that no turn of the user answers.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmarks.locomo import Conversation, Question
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import NewMessage

SOURCE = "https://huggingface.co/datasets/xiaowu0162/longmemeval-cleaned"
BETWEEN_TURNS = timedelta(seconds=5)  # assumed; only sessions are dated
ABSTENTION = "_abs"  # part of the ids of questions that the history does not answer
#: “2023/05/20 (Sat) 02:21”
_TIME = "%Y/%m/%d (%a) %H:%M"


@dataclass(frozen=True)
class LongMemEval:
    """The questions of a file."""

    file: Path
    #: histories as published
    _entries: list[Mapping[str, Any]]
    #: whether turns of the assistant are left out
    user_only: bool

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Conversation]:
        """Yields the history of each question, without the question if it has no evidence. Raises `InvalidInput`."""
        for number, entry in enumerate(self._entries):
            try:
                yield _conversation(entry, user_only=self.user_only)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise _invalid(self.file, f"question {number + 1}: {_reason(error)}") from error

    @property
    def abstentions(self) -> int:
        """Number of questions to abstain from."""
        return sum(ABSTENTION in str(entry.get("question_id")) for entry in self._entries)


def read_longmemeval(file: Path, *, user_only: bool = True) -> LongMemEval:
    """Reads a file. `user_only`: leaves out the turns of the assistant. Raises `InvalidInput`, also later where a
    question is invalid."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read ({error.strerror}); LongMemEval is at {SOURCE}") from error
    except ValueError as error:
        raise _invalid(file, str(error)) from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _invalid(file, "expected a list of questions")
    if not entries:
        raise _invalid(file, "it has no questions")
    return LongMemEval(file, entries, user_only)


def _invalid(file: Path, reason: str) -> InvalidInput:
    return InvalidInput(f"{file.name} is not a LongMemEval file ({reason}); it is published at {SOURCE}")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _conversation(entry: Mapping[str, Any], *, user_only: bool) -> Conversation:
    question_id = str(entry["question_id"])
    answering = set(entry["answer_session_ids"])
    messages, sessions, evidence = [], {}, set()
    histories = zip(entry["haystack_session_ids"], entry["haystack_dates"], entry["haystack_sessions"], strict=True)
    for place, (session, date, turns) in enumerate(histories):
        at = _time(date)
        for number, turn in enumerate(turns):
            if not turn["content"].strip() or (user_only and turn["role"] != "user"):
                continue
            key = f"{place}/{session}_{number + 1}"  # a history may hold a session twice
            messages.append(
                NewMessage(
                    id=key,
                    role=turn["role"],
                    content=turn["content"],
                    created_at=at + number * BETWEEN_TURNS,
                    thread=f"{place}/{session}",
                )
            )
            sessions[key] = str(session)
            if session in answering and turn.get("has_answer"):
                evidence.add(key)
    question = Question(
        text=str(entry["question"]),
        evidence=frozenset(evidence),
        answer=str(entry.get("answer", "")),
        category=str(entry["question_type"]),
        asked_at=_time(entry["question_date"]),
    )
    asked = bool(evidence) and ABSTENTION not in question_id
    return Conversation(messages, [question] if asked else [], sessions)


def _time(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
