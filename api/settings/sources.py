"""Where settings come from: the environment and `foxing.toml`, read by pydantic-settings."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, TomlConfigSettingsSource

from .codecs import with_plain_names
from .names import (
    ENV_DELIMITER,
    ENV_PREFIX,
    FILE_VARIABLE,
    NOT_FROM_FOLDER,
    SETTINGS_FILE,
    InvalidSettings,
    named_file,
    settings_file,
)

CODECS_FIELD = "codecs"


class EnvironmentSource(EnvSettingsSource):
    """The variables `FOXING_*`. Options of codecs stay text, which the model of the codec's options parses: taken for
    JSON, the revision 1234567 would become a number."""

    def explode_env_vars(self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]) -> dict[str, Any]:
        if field_name != CODECS_FIELD:
            return super().explode_env_vars(field_name, field, env_vars)
        nested: dict[str, Any] = {}
        prefix = f"{ENV_PREFIX}{CODECS_FIELD}{ENV_DELIMITER}".lower()
        for variable, value in env_vars.items():
            if not variable.startswith(prefix):
                continue
            *tables, name = variable.removeprefix(prefix).split(ENV_DELIMITER)
            inner = nested
            for table in tables:
                inner = inner.setdefault(table, {})
                if not isinstance(inner, dict):
                    break  # both an option and one within it are set; the model says what it accepts
            else:
                inner[name] = value
        return nested


class FileSource(TomlConfigSettingsSource):
    """The file that the environment names, else `foxing.toml` in the working directory, which may not say where texts
    and keys go."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        file = settings_file()
        if named_file() is not None and not file.is_file():
            raise InvalidSettings(f"there is no file {file}; correct {FILE_VARIABLE}")
        super().__init__(settings_cls, file)

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        refused = [name for name in NOT_FROM_FOLDER if name in values]
        if refused and named_file() is None:
            raise InvalidSettings(
                f"{SETTINGS_FILE} in the working directory sets {', '.join(refused)}, which say where texts and keys "
                f"go, and is not trusted to do so; if it is yours, set {FILE_VARIABLE}={SETTINGS_FILE}"
            )
        return {**values, CODECS_FIELD: with_plain_names(values[CODECS_FIELD])} if CODECS_FIELD in values else values
