"""Names of settings: in the environment, in `foxing.toml`, and in error messages."""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from foxing.renderer.errors import FoxingError, ProblemKind

SETTINGS_FILE = "foxing.toml"
ENV_PREFIX = "FOXING_"
#: Between the parts of a nested setting in the environment.
ENV_DELIMITER = "__"
#: Variable that names the file of settings. One that is named is trusted as the environment is.
FILE_VARIABLE = "FOXING_SETTINGS_FILE"
#: Variables that are not settings: the file of settings, and the folder of evaluation data, which tests and benchmarks
#: read.
NOT_SETTINGS = frozenset({"settings_file", "data"})
#: Settings that say where texts and keys go and who may read them. They do not count in a file that merely lies in the
#: working directory: it may be somebody else's, and would send pages and keys to them.
NOT_FROM_FOLDER = (
    *("database_url", "database_owner", "blobs_url", "search_index", "codec", "codecs", "host", "api_key"),
    *("embedder", "embedder_url", "reranker", "reranker_url"),
)


class InvalidSettings(FoxingError):
    """A setting is invalid; the message names it and says what it accepts."""

    kind = ProblemKind("invalid-settings", 500, "A setting is invalid")


def named_file() -> Path | None:
    """The file of settings that the environment names; None if it names none."""
    name = os.environ.get(FILE_VARIABLE)
    return Path(name) if name else None


def settings_file() -> Path:
    """The file that settings are read from, if it is there."""
    return named_file() or Path(SETTINGS_FILE)


def environment_name(setting: str) -> str:
    """The environment variable of a setting: that of "codecs.remote.url" is `FOXING_CODECS__REMOTE__URL`."""
    return ENV_PREFIX + setting.replace(".", ENV_DELIMITER).replace("-", "_").upper()


def explained(error: FoxingError) -> str:
    """The message of an error, and the environment variables of the settings that it names."""
    if not error.settings:
        return str(error)
    names = ", ".join(map(environment_name, error.settings))
    return f"{error} (setting{'s' if len(error.settings) > 1 else ''} {names})"


def no_such_setting(name: str, known: Iterable[str], in_file: bool) -> InvalidSettings:
    """The error for a name that is not a setting. `name` and `known`: as in the file."""
    given = f"'{name}' ({SETTINGS_FILE})" if in_file else environment_name(name)
    spelled: Mapping[str, str] = {setting if in_file else environment_name(setting): setting for setting in known}
    near = get_close_matches(name if in_file else environment_name(name), spelled, n=1, cutoff=0.7)
    if near:
        return InvalidSettings(f"there is no setting {given}; did you mean {near[0]}?")
    return InvalidSettings(f"there is no setting {given}; the settings are {', '.join(spelled)}")
