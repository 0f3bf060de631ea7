"""The reference of the settings, from `foxing.api.settings.Settings`."""

import json
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from foxing.api.settings import ENV_PREFIX, SETTINGS_FILE, Settings
from foxing.api.settings.names import environment_name
from foxing.encoder import CODECS, CodecPlugin
from foxing.renderer.plugins import OWN_PACKAGES

from .markdown import table

HEAD = f"""\
<!-- Written by docs/generate.py; do not edit. -->
# Settings

Every setting can be given as an environment variable or in a file: the one that `FOXING_SETTINGS_FILE` names, else
`{SETTINGS_FILE}` in the working directory. A file that is not named may be somebody else's; it is an error if it sets
`database_url`, `blobs_url`, `search_index`, `embedder`, `embedder_url`, `codec`, `codecs`,
`host`, `worker_http`, `labels_file` or `api_key`, which say where texts and keys go. Options on
the command line override the environment, the environment overrides the file, and the file overrides the defaults.
An empty environment variable counts as not set. An unknown name is an error, in the file as well as in a variable that
begins with `{ENV_PREFIX}`, and so is an invalid value; the message names the setting.
"""
DATABASE = """\
Without `database_url`, the database is `foxing.db` in the user's data folder: `~/.local/share/foxing` on Linux
(`$XDG_DATA_HOME/foxing` if that is set), `~/Library/Application Support/foxing` on macOS,
`%LOCALAPPDATA%\\foxing\\foxing` on Windows. A value that contains `://` is a URL, `sqlite:////srv/foxing.db` or
`postgresql://user@host/foxing` ([PostgreSQL](postgresql.md)); any other value is the path of a SQLite file. A missing
file or folder is created.
"""
READERS = """\
Tables `[readers.NAME]` in the file add [readers](readers.md#other-readers) of page images.
"""
CODECS_HEAD = f"""\
## Options of codecs

Each codec has options of its own: `[codecs.<codec>]` in the file, `{ENV_PREFIX}CODECS__<CODEC>__<OPTION>` in the
environment, where names are in upper case and have `_` for `-`. They apply to the codec that `codec` selects, and to
those that wrote older pages of a bank. Options with a dot form a table of their own, and what is required among them is
required only if that table is given. Codecs of other packages ([plug-ins](../guides/plugins.md)) take theirs in the
same way.
"""
#: Example values of settings without a default.
_EXAMPLES = {
    "embedder_url": "http://localhost:8001/v1",
    "embedder_model": "BAAI/bge-m3",
    "embedder_api_key": "a-long-random-string",
    "reader_api_key": "a-long-random-string",
    "database_url": "/srv/foxing/foxing.db",
    "blobs_url": "s3://bucket/prefix",
    "database_pool_size": 20,
    "database_max_overflow": 0,
    "database_owner": "ana",
    "labels_file": "/srv/foxing/labels.jsonl",
    "worker_http": "127.0.0.1:8766",
    "api_key": "a-long-random-string",
    "codecs.*.model": "/srv/models/the-model",
    "codecs.*.revision": "0123456789abcdef0123456789abcdef01234567",
    "codecs.remote.model": "Qwen/Qwen3-VL-8B-Instruct",
    "calibration": "/srv/foxing/calibration.json",
    "url": "http://127.0.0.1:8000/v1",
    "max_tokens": 8192,
    "extra": {"top_k": 1},
    "tokens": {"issuer": "https://login.example", "audience": "foxing", "keys_file": "/etc/foxing/jwks.json"},
}
COLUMNS = ("environment", "in the file", "default", "description")


def settings_page() -> str:
    """Markdown: every setting, the options of our own codecs that have any, and a `foxing.toml` with all of them."""
    fields = {name: field for name, field in Settings.model_fields.items() if name not in ("codecs", "readers")}
    overview = table(COLUMNS, [_row(name, name, field) for name, field in fields.items()])
    parts = [HEAD.strip(), overview, DATABASE.strip(), READERS.strip(), CODECS_HEAD.strip()]
    example = ["```toml", *(_line(name, name, field) for name, field in fields.items())]
    for codec in _own_codecs():
        options = list(codec.options.model_fields.items())
        if not options:
            continue
        rows = [_row(f"codecs.{codec.name}.{option}", option, field) for option, field in options]
        parts += [f"### `[codecs.{codec.name}]`", codec.about, table(COLUMNS, rows)]
        example += _table_of(codec)
    heading = f"## `{SETTINGS_FILE}`\n\nAll settings with their defaults; those commented out have none."
    return "\n\n".join([*parts, heading, "\n".join([*example, "```"])]) + "\n"


def _own_codecs() -> list[CodecPlugin[Any]]:
    return [plugin.value for plugin in CODECS.working() if plugin.package in OWN_PACKAGES]


def _row(setting: str, in_file: str, field: FieldInfo) -> tuple[str, str, str, str]:
    value = field.get_default(call_default_factory=True)
    shown = "required" if field.is_required() else f"`{_environment(value)}`" if _has_default(field) else "not set"
    return f"`{environment_name(setting)}`", f"`{in_file}`", shown, f"{field.description}{_bounds(field)}"


def _table_of(codec: CodecPlugin[Any]) -> list[str]:
    """The options of a codec in the file. Those of an option that is a model come last, in a table within: a key after
    the head of that table would belong to it."""
    lines = ["", f"[codecs.{codec.name}]"]
    open_table = ""
    for option, field in codec.options.model_fields.items():
        table_name, _, name = option.rpartition(".")
        if table_name != open_table:
            lines += ["", f"# [codecs.{codec.name}.{table_name}]"]
            open_table = table_name
        line = _line(f"codecs.{codec.name}.{option}", name, field)
        lines.append(f"# {line.removeprefix('# ')}" if table_name else line)
    return lines


def _line(setting: str, name: str, field: FieldInfo) -> str:
    if _has_default(field):
        return f"{name} = {_toml(field.get_default(call_default_factory=True))}"
    codec = setting.split(".")[1] if "." in setting else ""
    keys = (setting, setting.replace(f".{codec}.", ".*.") if codec else setting, name)
    return f"# {name} = {_toml(next(_EXAMPLES[key] for key in keys if key in _EXAMPLES))}"


def _has_default(field: FieldInfo) -> bool:
    return not field.is_required() and field.get_default(call_default_factory=True) not in (None, {})


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
