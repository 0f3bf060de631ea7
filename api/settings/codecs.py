"""Options of codecs among the settings: `[codecs.<codec>]` in the file, `FOXING_CODECS__<CODEC>__<OPTION>` in the
environment. Which there are, and what they accept, the plug-in of the codec says."""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from foxing.encoder import CODECS, CodecError
from foxing.encoder.plugin import model_in
from foxing.renderer import PluginError

from .names import SETTINGS_FILE, InvalidSettings, environment_name, explained

#: Codec → option → value.
CodecSettings = dict[str, dict[str, Any]]


def underscored(name: str) -> str:
    """The form in which names are compared: an environment variable cannot hold a dash."""
    return name.strip().lower().replace("-", "_")


def with_plain_names(codecs: object) -> object:
    """`codecs` with the names of codecs and of their options underscored, so that sources can be merged."""
    if not isinstance(codecs, Mapping):
        return codecs
    return {
        underscored(str(codec)): {underscored(str(option)): value for option, value in options.items()}
        if isinstance(options, Mapping)
        else options
        for codec, options in codecs.items()
    }


def checked_codecs(codecs: Mapping[str, Mapping[str, Any]]) -> CodecSettings:
    """`codecs` by the names that the codecs give themselves, texts from the environment taken apart.

    Required options may be missing: they are needed once a codec is loaded. Raises `InvalidSettings`.
    """
    names = {underscored(name): name for name in CODECS.names()}
    result: CodecSettings = {}
    for given, options in codecs.items():
        name = names.get(underscored(given))
        if name is None:
            raise _unknown_codec(given, options, list(names.values()))
        try:
            plugin = CODECS.get(name).value
        except PluginError:
            result[name] = dict(options)  # the error comes when it is loaded; other codecs go on working
            continue
        result[name] = _decoded(plugin.options, options)
        try:
            plugin.check(result[name])
        except CodecError as error:
            raise InvalidSettings(explained(error)) from error
    return result


def _unknown_codec(name: str, options: Mapping[str, Any], known: list[str]) -> InvalidSettings:
    near = get_close_matches(name.replace("_", "-"), known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
    settings = [f"codecs.{name}.{option}" for option in options]
    return InvalidSettings(
        f"there is no codec '{name}' to set options of ({', '.join(map(environment_name, settings))}, in "
        f"{SETTINGS_FILE}: [codecs.{name}]); {hint}"
    )


def _decoded(model: type[BaseModel], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` by the names of the model's fields; JSON where the environment holds a text for a field that takes
    several values."""
    fields = {underscored(name): (name, info) for name, info in model.model_fields.items()}
    result: dict[str, Any] = {}
    for given, value in values.items():
        name, info = fields.get(underscored(given), (given, None))
        result[name] = value if info is None else _decoded_value(info, value)
    return result


def _decoded_value(info: FieldInfo, value: Any) -> Any:
    inner = model_in(info.annotation)
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") and info.annotation is not str:
        try:
            value = json.loads(value)
        except ValueError:
            return value  # the option says what it accepts
    return _decoded(inner, value) if inner is not None and isinstance(value, Mapping) else value
