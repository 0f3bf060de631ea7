"""Names of settings in the environment, in `foxing.toml` and in error messages."""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from foxing.renderer import FoxingError, ProblemKind

SETTINGS_FILE = "foxing.toml"
ENV_PREFIX = "FOXING_"
#: Separator of the parts of a nested setting in the environment.
ENV_DELIMITER = "__"
#: Variable that names the settings file. A file named by it is as trusted as the environment.
FILE_VARIABLE = "FOXING_SETTINGS_FILE"
#: Variables that are not settings: the settings file, and the folder of evaluation data for tests and benchmarks.
NOT_SETTINGS = frozenset({"settings_file", "data"})
#: Settings that decide where texts and keys are sent and who may read them. They are rejected in a `foxing.toml` of the
#: working directory, which may come from somebody else.
NOT_FROM_FOLDER = (
    *("database_url", "database_owner", "blobs_url", "search_index", "codec", "codecs", "host", "api_key"),
    *("embedder", "embedder_url", "tokens", "worker_http", "labels_file"),
)


class InvalidSettings(FoxingError):
    """A setting is invalid; the message names it and its valid values."""

    kind = ProblemKind("invalid-settings", 500, "A setting is invalid")


def named_file() -> Path | None:
    """Returns the settings file named by the environment; None if there is none."""
    name = os.environ.get(FILE_VARIABLE)
    return Path(name) if name else None


def settings_file() -> Path:
    """Returns the path of the settings file, which may not exist."""
    return named_file() or Path(SETTINGS_FILE)


def read_setting(name: str) -> str | None:
    """Returns a setting as text, from the environment or else from the file that it names; None if neither has it.
    Nothing is checked, and the other settings are not loaded. Raises `InvalidSettings` for a file that cannot be
    read."""
    value = os.environ.get(environment_name(name))
    file = named_file()
    if value or file is None:
        return value or None
    try:
        value = tomllib.loads(file.read_text(encoding="utf-8")).get(name)
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{file} cannot be read: {error}") from error
    return None if value is None else str(value)


def environment_name(setting: str) -> str:
    """Returns the environment variable of a setting: "codecs.remote.url" → `FOXING_CODECS__REMOTE__URL`."""
    return ENV_PREFIX + setting.replace(".", ENV_DELIMITER).replace("-", "_").upper()


def explained(error: FoxingError, option: Callable[[str], str] = "parameter '{}'".format) -> str:
    """Returns the message of an error, followed by the environment variables of the settings that it concerns, and by
    the options that decide. `option`: returns what the door calls an option; by default, a parameter of HTTP."""
    named = [option(name) for name in getattr(error, "options", ())]
    if error.settings:
        names = ", ".join(map(environment_name, error.settings))
        named.append(f"setting{'s' if len(error.settings) > 1 else ''} {names}")
    return f"{error} ({', '.join(named)})" if named else str(error)


def no_such_setting(name: str, names: Iterable[str], in_file: bool) -> InvalidSettings:
    """Returns the error for a name that is not a setting. `name` and `names`: as in the file. `in_file`: True if the
    name comes from the file."""
    spelling = f"'{name}' ({SETTINGS_FILE})" if in_file else environment_name(name)
    spelled: Mapping[str, str] = {setting if in_file else environment_name(setting): setting for setting in names}
    similar = get_close_matches(name if in_file else environment_name(name), spelled, n=1, cutoff=0.7)
    if similar:
        return InvalidSettings(f"there is no setting {spelling}; did you mean {similar[0]}?")
    return InvalidSettings(f"there is no setting {spelling}; the settings are {', '.join(spelled)}")
