"""LoCoMo, a data set of long conversations in dated sessions, as messages."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from pydantic import ValidationError

from foxing.memory.errors import InvalidInput, InvalidTime
from foxing.memory.models import NewMessage

BETWEEN_TURNS = timedelta(seconds=5)  # sessions are dated, their turns are not

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATED = re.compile(r"\s*(\d{1,2}):(\d\d)\s*([ap])\.?m\.?\s+on\s+(\d{1,2})\s+([A-Za-z]{3})[a-z]*,?\s+(\d{4})\s*", re.I)
_SESSION = re.compile(r"session_(\d+)")


def is_locomo(value: Any) -> bool:
    """Whether this is a sample of LoCoMo."""
    return isinstance(value, dict) and isinstance(value.get("conversation"), dict)


def locomo_messages(value: Any, zone: tzinfo | None) -> Iterator[tuple[NewMessage, str]]:
    """The messages of one sample or a list of them, each with where it stands. Ids are the sample's and the turn's,
    as `conv-26/D3:7`; a sample is a thread. Sessions have local times: `zone` says of which place.

    Raises `InvalidInput`, and `InvalidTime` without a zone.
    """
    samples = value if isinstance(value, list) else [value]
    for number, sample in enumerate(samples):
        if not is_locomo(sample):
            raise InvalidInput(f"sample {number + 1}: this is not LoCoMo, it has no 'conversation'")
        yield from _sample(sample, str(sample.get("sample_id") or f"conv-{number}"), zone)


def _sample(sample: Mapping[str, Any], name: str, zone: tzinfo | None) -> Iterator[tuple[NewMessage, str]]:
    conversation: Mapping[str, Any] = sample["conversation"]
    sessions = sorted(int(match[1]) for key in conversation if (match := _SESSION.fullmatch(key)))
    for session in sessions:
        at = _session_time(conversation.get(f"session_{session}_date_time"), f"{name}, session {session}", zone)
        turns = conversation[f"session_{session}"]
        if not isinstance(turns, list):
            raise InvalidInput(f"{name}, session {session}: expected a list of turns")
        for index, turn in enumerate(turns):
            where = f"{name}, session {session}, turn {index + 1}"
            try:
                caption = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
                message = NewMessage(
                    id=f"{name}/{turn['dia_id']}",
                    role="user" if turn["speaker"] == conversation.get("speaker_a") else "assistant",
                    name=turn["speaker"],
                    content=turn["text"] + caption,
                    created_at=at + index * BETWEEN_TURNS,
                    thread=name,
                )
            except (KeyError, TypeError, AttributeError, ValidationError) as error:
                raise InvalidInput(f"{where}: expected 'speaker', 'dia_id' and 'text'") from error
            yield message, where


def _session_time(text: Any, where: str, zone: tzinfo | None) -> datetime:
    match = _DATED.fullmatch(text) if isinstance(text, str) else None
    month = match[5].lower() if match else ""
    if match is None or month not in _MONTHS:
        raise InvalidTime(f"{where}: '{text}' is no time such as '1:56 pm on 8 May, 2023'")
    if zone is None:
        raise InvalidTime(f"{where}: the time '{text}' has no timezone; give the timezone of the file")
    hour = int(match[1]) % 12 + (12 if match[3].lower() == "p" else 0)
    try:
        local = datetime(int(match[6]), _MONTHS.index(month) + 1, int(match[4]), hour, int(match[2]), tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"{where}: there is no time '{text}'") from error
