"""Codec options in the settings: `[codecs.<codec>]` in the file, `FOXING_CODECS__<CODEC>__<OPTION>` in the environment.
The plug-in of a codec defines its options."""

import json
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from foxing.encoder import CODECS, CodecError
from foxing.renderer import PluginError

from .names import SETTINGS_FILE, InvalidSettings, environment_name, explained

#: Codec → option → value.
CodecSettings = dict[str, dict[str, Any]]


def underscored(name: str) -> str:
    """Returns a name in the form used for comparison, because an environment variable cannot contain a dash."""
    return name.strip().lower().replace("-", "_")


def with_plain_names(codecs: object) -> object:
    """Returns `codecs` with the names of codecs and options underscored, so that sources can be merged."""
    if not isinstance(codecs, Mapping):
        return codecs
    return {
        underscored(str(codec)): {underscored(str(option)): value for option, value in options.items()}
        if isinstance(options, Mapping)
        else options
        for codec, options in codecs.items()
    }


def checked_codecs(codecs: Mapping[str, Mapping[str, Any]]) -> CodecSettings:
    """Returns `codecs` under the registered names of codecs and options, with JSON strings from the environment parsed.

    Required options may be missing; loading the codec checks them. Raises `InvalidSettings`.
    """
    names = {underscored(name): name for name in CODECS.names()}
    result: CodecSettings = {}
    for written, options in codecs.items():
        name = names.get(underscored(written))
        if name is None:
            raise _unknown_codec(written, options, list(names.values()))
        try:
            plugin = CODECS.get(name).value
        except PluginError:
            result[name] = dict(options)  # the error is raised when it is loaded; other codecs still work
            continue
        result[name] = _decoded(plugin.options, options)
        try:
            plugin.check(result[name])
        except CodecError as error:
            raise InvalidSettings(explained(error)) from error
    return result


def _unknown_codec(name: str, options: Mapping[str, Any], names: list[str]) -> InvalidSettings:
    similar = get_close_matches(name.replace("_", "-"), names, n=1)
    hint = f"did you mean '{similar[0]}'?" if similar else f"the codecs are {', '.join(names)}"
    settings = [f"codecs.{name}.{option}" for option in options]
    return InvalidSettings(
        f"options are set for the unknown codec '{name}' ({', '.join(map(environment_name, settings))}, in "
        f"{SETTINGS_FILE}: [codecs.{name}]); {hint}"
    )


def _decoded(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `values` under the names of the model's fields. JSON strings for fields that are not strings are
    parsed."""
    fields = {underscored(name): (name, info.annotation) for name, info in model.model_fields.items()}
    result: dict[str, Any] = {}
    for written, value in values.items():
        name, kind = fields.get(underscored(written), (written, str))
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") and kind is not str:
            with suppress(ValueError):  # the validation error of the option explains it
                value = json.loads(value)
        result[name] = value
    return result
