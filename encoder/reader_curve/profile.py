"""Reader profile as a table of `foxing.toml`."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from foxing.renderer.readers import Reader, TypeSize

_HEAD = "# Written by foxing calibrate. Put it into foxing.toml.\n"


def measured_reader(reader: Reader, name: str, types: Sequence[TypeSize], day: date, source: str) -> Reader:
    """Returns `reader` renamed to `name`, with measured type sizes. `day`, `source`: date and origin of the
    measurement."""
    fields = reader.model_dump(exclude={"type", "type_date", "type_source", "note"})
    if reader.name != name:
        del fields["models"]  # they are those of the profile that billing and limits come from
    title = reader.title if reader.name == name else name
    return Reader.model_validate(
        {**fields, "name": name, "title": title, "type": tuple(types), "type_date": day, "type_source": source}
    )


def profile_table(reader: Reader) -> str:
    """Returns the table `[readers.NAME]` in TOML."""
    fields = reader.model_dump(exclude={"name"}, exclude_none=True)
    lines = [f"{name} = {_value(value)}" for name, value in fields.items() if name != "type"]
    types = "".join(f"    {_value(cell)},\n" for cell in fields["type"])
    return "\n".join([f"{_HEAD}[readers.{_string(reader.name)}]", *lines, f"type = [\n{types}]"]) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {_value(field)}' for name, field in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return value.isoformat() if isinstance(value, date) else repr(value)


def _string(text: str) -> str:
    """Returns a TOML basic string. JSON escapes as TOML does, except for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
