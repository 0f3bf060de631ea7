"""The reference of the settings, from `foxing.api.settings.Settings`."""

import json
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from foxing.api.settings import ENV_PREFIX, SETTINGS_FILE, Settings

HEAD = f"""\
<!-- Written by docs/generate.py; do not edit. -->
# Settings

Every setting can be given as an environment variable or in `{SETTINGS_FILE}` in the working directory. An option of
the command wins over the environment, the environment over the file, the file over the default. An environment variable
that is empty counts as not set. A name in the file that is no setting is an error, and so is a value that cannot be
used; the message names the setting.
"""
DATABASE = """\
Where `database_url` is not set, the database is `foxing.db` in the user's data folder: `~/.local/share/foxing` on Linux
(`$XDG_DATA_HOME/foxing` where that is set), `~/Library/Application Support/foxing` on macOS,
`%LOCALAPPDATA%\\foxing\\foxing` on Windows. A value with `://` in it is a SQLAlchemy URL, as `sqlite:////srv/foxing.db`;
anything else is the path of a SQLite file. The file and its folder are made where they are missing.
"""
#: Values for the example where the default is not to be set.
_EXAMPLES = {
    "database_url": "/srv/foxing/foxing.db",
    "api_key": "a-long-random-string",
    "token_bytes": {"tiny": 200},
    "codec_model": "/srv/models/DeepSeek-OCR",
    "codec_revision": "0123456789abcdef0123456789abcdef01234567",
    "remote_url": "http://127.0.0.1:8000/v1",
    "remote_model": "Qwen/Qwen3-VL-8B-Instruct",
    "remote_api_key": "the-key-of-the-endpoint",
    "remote_max_tokens": 8192,
    "remote_extra": {"top_k": 1},
}


def settings_page() -> str:
    """Markdown: every setting, and a `foxing.toml` with all of them."""
    rows = ["| environment | in the file | default | what it does |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "not set" if field.default is None else f"`{_environment(field.default)}`"
        rows.append(f"| `{ENV_PREFIX}{name.upper()}` | `{name}` | {default} | {field.description}{_bounds(field)} |")
    example = ["```toml"]
    for name, field in Settings.model_fields.items():
        value = field.default if field.default is not None else _EXAMPLES[name]
        mark = "" if field.default is not None else "# "
        example.append(f"{mark}{name} = {_toml(value)}")
    example.append("```")
    text = f"## `{SETTINGS_FILE}`\n\nThe defaults, written out; a line with # has none."
    return "\n\n".join([HEAD.strip(), "\n".join(rows), DATABASE.strip(), text, "\n".join(example)]) + "\n"


def _bounds(field: FieldInfo) -> str:
    """What the value may be."""
    if get_origin(field.annotation) is Literal:
        return f" One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."
    if SecretStr in get_args(field.annotation):
        return " Printable ASCII without spaces."
    limits = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "gt", "le") if hasattr(rule, key)}
    if "ge" in limits and "le" in limits:
        return f" {limits['ge']:,} to {limits['le']:,}."
    low = f"at least {limits['ge']:,}" if "ge" in limits else f"above {limits['gt']:,}" if "gt" in limits else ""
    high = f"at most {limits['le']:,}" if "le" in limits else ""
    told = ", ".join(part for part in (low, high) if part)
    return f" {told[0].upper()}{told[1:]}." if told else ""


def _toml(value: Any) -> str:
    """TOML writes these values as JSON does, tables aside."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _environment(value: Any) -> str:
    """As it is written in an environment variable."""
    return _toml(value).strip('"')
