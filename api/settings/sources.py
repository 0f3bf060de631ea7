"""Where settings come from: the environment and `foxing.toml`, read by pydantic-settings."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from .codecs import with_plain_names
from .names import ENV_DELIMITER, ENV_PREFIX

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
    """The file `foxing.toml` in the working directory."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        return {**values, CODECS_FIELD: with_plain_names(values[CODECS_FIELD])} if CODECS_FIELD in values else values
