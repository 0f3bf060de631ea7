"""Pages of the console, as HTML or as the JSON that they show."""

import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse, Response

from foxing.memory import Access

from .words import visible

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
FOLDER = Path(__file__).parent
_HOME = "/console/"


@dataclass(frozen=True)
class ConsolePage:
    """A page of the console."""

    template: str
    #: Values of the template.
    values: dict[str, Any] = field(default_factory=dict)
    #: What the page shows, as the HTTP interface returns it.
    data: BaseModel | dict[str, Any] | list[Any] = field(default_factory=dict)
    status: int = 200

    def html(self, **shared: Any) -> Response:
        """Returns the page as HTML. `shared`: values that all pages have."""
        text = environment().get_template(self.template).render({**shared, **self.values})
        return HTMLResponse(text, self.status, HEADERS)

    def json(self) -> Response:
        """Returns what the page shows."""
        data = self.data.model_dump(mode="json") if isinstance(self.data, BaseModel) else self.data
        return JSONResponse(data, self.status, HEADERS)


@cache
def strings() -> dict[str, Any]:
    """Returns the catalogue of strings."""
    return tomllib.loads((FOLDER / "strings.toml").read_text(encoding="utf-8"))


def text_of(key: str, **values: Any) -> str:
    """Returns the string with this key, such as "banks.title", with its values in place of `{name}`. Raises
    `KeyError`."""
    value: Any = strings()
    for part in key.split("."):
        value = value[part]
    return str(value).format(**values) if values else str(value)


def time_element(value: datetime | None) -> Markup:
    """Returns a time in UTC, which the script shows in the browser's zone."""
    if value is None:
        return Markup("–")
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M"))


def clock_element(value: datetime) -> Markup:
    """Returns the hour and minute of a time in UTC, with the whole time as its tooltip. The script shows both in the
    browser's zone."""
    utc = value.astimezone(UTC)
    return Markup('<time class="clock" datetime="{}" title="{} UTC">{}</time>').format(
        utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M"), utc.strftime("%H:%M")
    )


def day_element(value: datetime) -> Markup:
    """Returns the day of a time in UTC, which the script shows in the browser's zone."""
    utc = value.astimezone(UTC)
    return Markup('<time class="date" datetime="{}">{} UTC</time>').format(utc.isoformat(), utc.strftime("%Y-%m-%d"))


def utc_day(value: datetime) -> str:
    """Returns the day of a time in UTC, such as "2026-01-05"."""
    return value.astimezone(UTC).date().isoformat()


def size(value: int) -> str:
    """Returns a number of bytes with a unit."""
    for unit, bytes_of_unit in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= bytes_of_unit:
            return f"{value / bytes_of_unit:.1f} {unit}"
    return f"{value} B"


def duration(value: timedelta) -> str:
    """Returns a duration in days, hours or seconds."""
    if value >= timedelta(days=1):
        return f"{value.total_seconds() / 86_400:g} d"
    return f"{value.total_seconds() / 3_600:g} h" if value >= timedelta(hours=1) else f"{value.total_seconds():g} s"


def inside(path: str) -> str | None:
    """Returns a path of the console as it was given, None for any other: for one that browsers resolve to another page,
    or to another site. They read `%2e` as a dot and a backslash as a slash, and leave out tabs and line breaks."""
    place = unquote(path.partition("#")[0].partition("?")[0])
    steps = place.removeprefix(_HOME).split("/")
    safe = path.startswith(_HOME) and path.isprintable() and place.isprintable()
    return path if safe and "//" not in path and "\\" not in place and not {".", ".."} & set(steps) else None


def url(path: str, /, *parts: str, **query: Any) -> str:
    """Returns a path under /console, with `parts` in place of its `{}` and a query."""
    values = {name: value for name, value in query.items() if value not in (None, "")}
    filled = path.format(*(quote(part, safe="") for part in parts))
    return f"/console{filled}" + (f"?{urlencode(values, errors='replace')}" if values else "")


@cache
def environment() -> Environment:
    """Returns the templates, which escape every value."""
    templates = Environment(
        loader=PackageLoader("foxing.api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "own": lambda bank: Access.current().own_name(bank),
        "time": time_element,
        "clock": clock_element,
        "day": day_element,
        "utc_day": utc_day,
        "size": size,
        "visible": visible,
        "duration": duration,
        "n": "{:,}".format,
    }
    templates.globals |= {"t": text_of, "url": url}
    return templates
