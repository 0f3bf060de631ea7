"""Data exports of Grok: `prod-grok-backend.json`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from .chat import readable, said, since_epoch, time_with_offset
from .files import HistoryFiles
from .format import ReadOptions, SingleFiles
from .source import ImportedMessage


class Grok(SingleFiles):
    """Importer of data exports of Grok."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        fits = {"conversations[].conversation", "conversations[].responses"} <= files.outline(name)
        return "'conversations' with 'responses'" if fits else None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`."""
        for value, where in files.items(name, "conversations"):
            conversation = _of(value, "conversation")
            responses = value.get("responses") if isinstance(value, dict) else None
            if conversation.get("id") is None or not isinstance(responses, list):
                files.leave_out("entries that are no conversation", where)
                continue
            thread = f"grok:{conversation['id']}"
            for number, item in enumerate(responses):
                response = _of(item, "response")
                messages = _said(files, response, number, thread, conversation.get("create_time"), where)
                yield from readable(files, where, messages)


def _said(
    files: HistoryFiles, response: Mapping[str, Any], number: int, thread: str, started: Any, where: str
) -> Iterator[ImportedMessage]:
    yield from said(
        files,
        where,
        key=f"{thread}:{response.get('_id') or response.get('id') or number}",
        thread=thread,
        text=str(response.get("message") or ""),
        at=_time(response.get("create_time")) or _time(started),
        role="user" if str(response.get("sender")).lower() == "human" else "assistant",
    )


def _of(value: Any, key: str) -> Mapping[str, Any]:
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _time(value: Any) -> datetime | None:
    """Returns a time, in ISO 8601 or in milliseconds as MongoDB writes them."""
    date = value.get("$date") if isinstance(value, dict) else value
    text = str(date.get("$numberLong") if isinstance(date, dict) else date)
    if text.isdecimal():
        return since_epoch(int(text) / 1000)
    return time_with_offset(text)


GROK = Grok()
