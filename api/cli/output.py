"""Output of results: JSON, tables, times, and text that is safe on a terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from foxing.memory import AgeingForecast

#: Characters that control a terminal: control characters and bidirectional formatting → visible replacements.
_UNSAFE = {
    **{code: chr(0x2400 + code) for code in range(0x20) if code not in (0x09, 0x0A)},
    0x7F: "␡",
    **{code: f"⟦{code:X}⟧" for code in (*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}


def write_json(document: Any) -> None:
    """Writes `document` to stdout as one line of JSON."""
    sys.stdout.write(json.dumps(jsonable(document), ensure_ascii=False) + "\n")


def jsonable(document: Any) -> Any:
    """Returns the JSON form of a pydantic model, and any other value unchanged."""
    return document.model_dump(mode="json") if hasattr(document, "model_dump") else document


def printable(text: str) -> str:
    """Returns `text` with every character that could control the terminal replaced by a visible one."""
    return text.translate(_UNSAFE)


def underlined(text: str, uncertain: Sequence[tuple[int, int, float]]) -> "Text":
    """Returns `text`, made printable, with its uncertain runs underlined."""
    from rich.text import Text

    line = Text()
    position = 0
    for start, stop, _ in uncertain:
        line.append(printable(text[position:start]))
        line.append(printable(text[start:stop]), style="underline yellow")
        position = stop
    line.append(printable(text[position:]))
    return line


def minute(value: datetime | None, zone: tzinfo) -> str:
    """Returns date and time to the minute in `zone`, with the offset: `2026-03-04 18:30 +09:00`. Empty for None."""
    if value is None:
        return ""
    try:
        local = value.astimezone(zone)
    except OverflowError:  # the first or last day of the calendar
        local = value.astimezone(UTC)
    text = local.isoformat(" ", "minutes")
    return f"{text[:16]} {text[16:]}"


@dataclass(frozen=True)
class Timezone:
    """The timezone in which a command reads and shows times."""

    #: IANA name or offset, as `Memory` takes it.
    name: str
    zone: tzinfo

    @classmethod
    def named(cls, name: str) -> "Timezone":
        """Returns the timezone with this IANA name or offset. Raises `InvalidTime` if it is unknown."""
        from foxing.memory.text.zones import zone_of

        return cls(name, zone_of(name))

    def show(self, value: datetime | None) -> str:
        """Returns `value` to the minute in this timezone; see `minute`."""
        return minute(value, self.zone)


def forecast_text(forecast: "AgeingForecast", zone: Timezone) -> str:
    """Returns a forecast as text: “exact until …; tiny from …”."""
    steps = [f"{step.tier} from {zone.show(step.at)}" for step in forecast.steps]
    until = "exact permanently" if forecast.exact_until is None else f"exact until {zone.show(forecast.exact_until)}"
    return "; ".join([until if forecast.exact else "no longer exact", *steps])


def system_timezone() -> str:
    """Returns the IANA name of the system's timezone, or its current offset if it has no name."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from tzlocal import get_localzone_name

    try:
        return ZoneInfo(get_localzone_name() or "").key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return datetime.now(UTC).astimezone().isoformat()[-6:]


def table(columns: str, rows: Iterable[Sequence[str | int | None]]) -> "Table":
    """Returns a table. `columns`: names separated by `, `; a leading `>` right-aligns a column. The first column never
    wraps. Numbers are shown with thousands separators, None as an empty cell."""
    from rich.table import Table

    result = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns.split(", ")):
        name = column.removeprefix(">")
        result.add_column(name, justify="left" if name == column else "right", overflow="fold", no_wrap=number == 0)
    for row in rows:
        result.add_row(*map(_cell_text, row))
    return result


def _cell_text(cell: str | int | None) -> str:
    if cell is None:
        return ""
    return printable(cell) if isinstance(cell, str) else f"{cell:,}"
