"""Memories of mem0, as `get_all` returns them: a list, or an object with `results`. Each is a message."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from .chat import UNREADABLE, local_time, said
from .files import HistoryFiles
from .format import ReadOptions, SingleFiles
from .source import ImportedMessage

_OWNERS = ("user_id", "agent_id", "app_id", "run_id")


class Mem0(SingleFiles):
    """Importer of memories of mem0."""

    def recognise_file(self, files: HistoryFiles, name: str) -> str | None:
        """See `SingleFiles.recognise_file`."""
        outline = files.outline(name)
        for path in ("[]", "results[]"):
            if {f"{path}.id", f"{path}.memory"} <= outline:
                return "a list of objects with 'id' and 'memory'"
        return None

    def read_file(self, files: HistoryFiles, name: str, options: ReadOptions) -> Iterator[ImportedMessage]:
        """See `SingleFiles.read_file`. Raises `InvalidTime` if a time has no offset and no timezone is given."""
        for value, where in files.items(name, "results" if "results" in files.outline(name) else ""):
            if not isinstance(value, dict) or not isinstance(value.get("memory"), str) or not value.get("id"):
                files.leave_out(UNREADABLE, where)
                continue
            owner = next((str(value[key]) for key in _OWNERS if value.get(key)), "memories")
            yield from said(
                files,
                where,
                key=f"mem0:{value['id']}",
                thread=f"mem0:{owner}",
                text=value["memory"],
                at=_time(value.get("created_at"), options.zone, where),
            )


def _time(text: Any, zone: tzinfo | None, where: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None else local_time(at.date(), at.time(), zone, where)


MEM0 = Mem0()
