"""Loading the settings, with one-sentence error messages."""

import os
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from .model import Settings
from .names import (
    ENV_DELIMITER,
    ENV_PREFIX,
    NOT_SETTINGS,
    SETTINGS_FILE,
    InvalidSettings,
    environment_name,
    no_such_setting,
)


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Returns the effective settings. `overrides` that are not None take precedence over environment and file.

    Raises `InvalidSettings`, whose message names each invalid setting.
    """
    values = {name: value for name, value in (overrides or {}).items() if value is not None}
    _check_environment(os.environ)
    try:
        settings = Settings(**values)
        settings._overrides = values
        return settings
    except ValidationError as error:
        raise InvalidSettings("; ".join(_error_sentence(dict(entry)) for entry in error.errors())) from error
    except SettingsError as error:
        raise InvalidSettings(f"the settings cannot be read: {error}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"{SETTINGS_FILE} cannot be read: {error}") from error


def reload_settings(settings: Settings) -> Settings:
    """Returns the settings as environment and file give them now, with the overrides of others. Raises
    `InvalidSettings`."""
    return load_settings(settings._overrides)


def _check_environment(environment: Mapping[str, str]) -> None:
    """Raises `InvalidSettings` for a variable with the prefix of settings that is not a setting."""
    for variable, value in environment.items():
        if not value or not variable.upper().startswith(ENV_PREFIX):
            continue
        name = variable[len(ENV_PREFIX) :].lower()
        # Options of codecs are checked by their plug-ins.
        is_setting = name in Settings.model_fields or name.startswith(f"codecs{ENV_DELIMITER}")
        if not is_setting and name not in NOT_SETTINGS:
            raise no_such_setting(name, Settings.model_fields, in_file=False)


def _error_sentence(entry: Mapping[str, Any]) -> str:
    """Returns an entry of pydantic's `ValidationError.errors()` as a sentence that names the setting."""
    name = ".".join(map(str, entry["loc"])) or "settings"
    if entry["type"] == "extra_forbidden":
        return str(no_such_setting(name, Settings.model_fields, in_file=True))
    secret = name.endswith(("api_key", "_url")) or name.startswith("codecs")
    value = "" if secret else f", not {entry['input']!r}"
    message = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"the setting {environment_name(name)} (in {SETTINGS_FILE}: {name}) {message}{value}"
