"""How results are printed: JSON, tables, times, and text that is safe on a terminal."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from foxing.memory.models import UncertainRun

#: Characters that control a terminal instead of being shown: control characters and bidirectional formatting.
_UNSAFE = {
    **{code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)},
    0x7F: "␡",
    **{code: f"⟦{code:X}⟧" for code in (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}


def write_json(document: Any) -> None:
    """Writes `document` to stdout as one line of JSON."""
    sys.stdout.write(json.dumps(jsonable(document), ensure_ascii=False) + "\n")


def jsonable(document: Any) -> Any:
    """The JSON form of a pydantic model; any other value unchanged."""
    return document.model_dump(mode="json") if hasattr(document, "model_dump") else document


def printable(text: str) -> str:
    """`text` with every character that could control the terminal replaced by a visible one."""
    return text.translate(_UNSAFE)


def underlined(text: str, uncertain: "Sequence[UncertainRun]") -> Text:
    """`text`, made printable, with its uncertain runs underlined."""
    shown = Text()
    position = 0
    for start, stop, _ in uncertain:
        shown.append(printable(text[position:start]))
        shown.append(printable(text[start:stop]), style="underline yellow")
        position = stop
    shown.append(printable(text[position:]))
    return shown


def minute(value: datetime | None) -> str:
    """Date and time to the minute, in UTC."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def day(value: datetime | None) -> str:
    """Date in UTC."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d")


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table. Columns in `right` are right-aligned; the first column never wraps."""
    result = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in right else "left"
        result.add_column(column, justify=justify, overflow="fold", no_wrap=number == 0)
    return result
