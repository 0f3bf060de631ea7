"""LoCoMo, a dataset of long conversations in dated sessions."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from pydantic import ValidationError

from foxing.memory.errors import InvalidInput, InvalidTime
from foxing.memory.values.messages import NewMessage

from .chat import MONTHS
from .files import HistoryFiles
from .format import ReadOptions, SingleFiles
from .source import ImportedMessage

BETWEEN_TURNS = timedelta(seconds=5)  # assumed; only sessions are dated

_SESSION_TIME = re.compile(
    r"\A\s*(\d{1,2}):(\d\d)\s*([ap])\.?m\.?\s+on\s+(\d{1,2})\s+([A-Za-z]{3})[a-z]*,?\s+(\d{4})\s*", re.I
)
_SESSION = re.compile(r"session_(\d+)")


def is_locomo(value: Any) -> bool:
    """True if a JSON value is a LoCoMo sample."""
    return isinstance(value, dict) and isinstance(value.get("conversation"), dict)


class LocomoTurn(NamedTuple):
    """A message of a sample."""

    message: NewMessage
    #: Its place in the sample: “conv-26, session 3, turn 7”.
    where: str


class Locomo(SingleFiles):
    """Importer of LoCoMo."""

    strict = True

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        outline = {path.removeprefix("[].") for path in files.outline(name)}
        sessions = any(re.fullmatch(r"conversation\.session_\d+(_date_time)?", path) for path in outline)
        return "'conversation' has sessions" if sessions or {"qa[].question", "qa[].evidence"} <= outline else None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`. Raises `InvalidTime` without a timezone."""
        try:
            for message, where in locomo_messages(files.document(name), options.zone):
                yield ImportedMessage(message, where, files.bytes_read)
        except InvalidInput as error:
            raise error.at(files.place(name), ", ") from error


def locomo_messages(value: Any, zone: tzinfo | None) -> Iterator[LocomoTurn]:
    """Yields the messages of a sample or a list of samples.

    A sample is a thread. Ids combine the sample and the turn: `conv-26/D3:7`. Sessions are dated in local time, in
    `zone`. Raises `InvalidInput`, and `InvalidTime` if `zone` is None.
    """
    samples = value if isinstance(value, list) else [value]
    for number, sample in enumerate(samples):
        if not is_locomo(sample):
            raise InvalidInput(f"sample {number + 1}: this is not LoCoMo: it has no 'conversation'")
        yield from _sample(sample, str(sample.get("sample_id") or f"conv-{number}"), zone)


def _sample(sample: Mapping[str, Any], name: str, zone: tzinfo | None) -> Iterator[LocomoTurn]:
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
                message = _message(turn, name, conversation.get("speaker_a"), at + index * BETWEEN_TURNS)
            except (KeyError, TypeError, AttributeError, ValidationError) as error:
                raise InvalidInput(f"{where}: expected 'speaker', 'dia_id' and 'text'") from error
            yield LocomoTurn(message, where)


def _message(turn: Mapping[str, Any], sample: str, user: Any, at: datetime) -> NewMessage:
    """Returns a turn as a message, with the caption of its image in brackets after the text. The speaker `user` has
    that role."""
    caption = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return NewMessage(
        id=f"{sample}/{turn['dia_id']}",
        role="user" if turn["speaker"] == user else "assistant",
        name=turn["speaker"],
        content=turn["text"] + caption,
        created_at=at,
        thread=sample,
    )


def _session_time(text: Any, where: str, zone: tzinfo | None) -> datetime:
    match = _SESSION_TIME.fullmatch(text) if isinstance(text, str) else None
    month = match[5].lower() if match else ""
    if match is None or month not in MONTHS:
        raise InvalidTime(f"{where}: '{text}' is not a time; write it like '1:56 pm on 8 May, 2023'")
    if zone is None:
        raise InvalidTime(f"{where}: the time '{text}' has no timezone; give that of the file").asking("timezone")
    hour = int(match[1]) % 12 + (12 if match[3].lower() == "p" else 0)
    try:
        local = datetime(int(match[6]), MONTHS.index(month) + 1, int(match[4]), hour, int(match[2]), tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidTime(f"{where}: the time '{text}' does not exist; correct it") from error


LOCOMO = Locomo()
