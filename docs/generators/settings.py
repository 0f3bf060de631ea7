"""The reference of the settings, from `foxing.api.settings.Settings`."""

import json
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from foxing.api.settings import ENV_PREFIX, SETTINGS_FILE, Settings

from .markdown import table

HEAD = f"""\
<!-- Written by docs/generate.py; do not edit. -->
# Settings

Every setting can be given as an environment variable or in `{SETTINGS_FILE}` in the working directory. Options on the
command line override the environment, the environment overrides the file, and the file overrides the defaults. An empty
environment variable counts as not set. An unknown name in the file is an error, and so is an invalid value; the message
names the setting.
"""
DATABASE = """\
Without `database_url`, the database is `foxing.db` in the user's data folder: `~/.local/share/foxing` on Linux
(`$XDG_DATA_HOME/foxing` if that is set), `~/Library/Application Support/foxing` on macOS,
`%LOCALAPPDATA%\\foxing\\foxing` on Windows. A value that contains `://` is a SQLAlchemy URL, e.g.
`sqlite:////srv/foxing.db`; any other value is the path of a SQLite file. A missing file or folder is created.
"""
#: Example values of settings without a default.
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
    rows = []
    for name, field in Settings.model_fields.items():
        default = "not set" if field.default is None else f"`{_environment(field.default)}`"
        description = f"{field.description}{_bounds(field)}"
        rows.append((f"`{ENV_PREFIX}{name.upper()}`", f"`{name}`", default, description))
    example = ["```toml"]
    for name, field in Settings.model_fields.items():
        value = field.default if field.default is not None else _EXAMPLES[name]
        prefix = "" if field.default is not None else "# "
        example.append(f"{prefix}{name} = {_toml(value)}")
    example.append("```")
    overview = table(("environment", "in the file", "default", "description"), rows)
    heading = f"## `{SETTINGS_FILE}`\n\nAll settings with their defaults; those commented out have none."
    return "\n\n".join([HEAD.strip(), overview, DATABASE.strip(), heading, "\n".join(example)]) + "\n"


def _bounds(field: FieldInfo) -> str:
    """The values that are allowed, as a sentence."""
    if get_origin(field.annotation) is Literal:
        return f" One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."
    if SecretStr in get_args(field.annotation):
        return " Printable ASCII without spaces."
    limits = {key: getattr(rule, key) for rule in field.metadata for key in ("ge", "gt", "le") if hasattr(rule, key)}
    if "ge" in limits and "le" in limits:
        return f" {limits['ge']:,} to {limits['le']:,}."
    low = f"at least {limits['ge']:,}" if "ge" in limits else f"above {limits['gt']:,}" if "gt" in limits else ""
    high = f"at most {limits['le']:,}" if "le" in limits else ""
    bounds = ", ".join(part for part in (low, high) if part)
    return f" {bounds[0].upper()}{bounds[1:]}." if bounds else ""


def _toml(value: Any) -> str:
    """The value as TOML, which apart from tables is written like JSON here."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _environment(value: Any) -> str:
    """The value as written in an environment variable."""
    return _toml(value).strip('"')
