"""Codec plug-ins, which a package declares so that its codec can be chosen by name.

    [project.entry-points."foxing.codecs"]
    morse = "morse_codec.plugin:PLUGIN"

The module of the plug-in must not import the dependencies of the codec: plug-ins are also listed where these are not
installed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from foxing.renderer.plugins import PluginError, Plugins

from .contract import Codec
from .errors import CodecError

GROUP = "foxing.codecs"


class CodecOptions(BaseModel):
    """Base class of the options of a codec; used as is by codecs without options.

    Each field needs a description, and `repr=False` if its value must not be shown.
    """

    # Errors hide the input because it may contain a password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


OptionsT = TypeVar("OptionsT", bound=CodecOptions)
#: Options of one codec: an instance of its options model, or option → value.
GivenOptions = CodecOptions | Mapping[str, object]


@dataclass(frozen=True)
class Dependencies:
    """Dependencies that an extra of the package installs."""

    extra: str
    #: Modules whose presence shows that the extra is installed.
    modules: tuple[str, ...]


@dataclass(frozen=True)
class RequiredOption:
    """Option without which a codec cannot be loaded."""

    #: Name, dotted for options of a nested model: "remote.url".
    option: str
    #: Whether it is set.
    given: bool


@dataclass(frozen=True)
class CodecPlugin(Generic[OptionsT]):
    """Codec that can be loaded by name."""

    #: Name of the codec, equal to that of its entry point.
    name: str
    #: One sentence for people choosing a codec.
    about: str
    #: (device, options) → the codec; raises `CodecError`. Imports the dependencies of the codec.
    load: Callable[[str, OptionsT], Codec]
    options: type[OptionsT]
    #: Dependencies beyond those of the package; None if there are none.
    needs: Dependencies | None = None
    #: Whether the package includes the weights.
    bundled: bool = False

    def missing(self) -> tuple[str, ...]:
        """Returns the modules that the codec needs and that are not installed."""
        modules = () if self.needs is None else self.needs.modules
        return tuple(module for module in modules if find_spec(module) is None)

    def required(self, values: Mapping[str, object]) -> tuple[RequiredOption, ...]:
        """Returns the required options, given that those in `values` are set."""
        return tuple(_required(self.options, values, ""))

    def parse(self, values: GivenOptions | None) -> OptionsT:
        """Validates the options in `values`, and returns them as a model. Raises `CodecError`, which names each invalid
        or missing option."""
        if type(values) is self.options:
            return values
        if isinstance(values, CodecOptions):
            kind = type(values).__name__
            raise CodecError(f"the codec '{self.name}' takes options of type {self.options.__name__}, not {kind}")
        try:
            return self.options.model_validate(dict(values or {}))
        except ValidationError as error:
            raise self._invalid(error, missing=True) from error

    def check(self, values: Mapping[str, object]) -> None:
        """Validates the options in `values`, of which required ones may be missing. Raises `CodecError`, which names
        each invalid option."""
        try:
            self.options.model_validate(dict(values))
        except ValidationError as error:
            if any(entry["type"] != "missing" for entry in error.errors()):
                raise self._invalid(error, missing=False) from error

    def _invalid(self, error: ValidationError, missing: bool) -> CodecError:
        entries = [entry for entry in error.errors() if missing or entry["type"] != "missing"]
        sentences = [self._sentence(dict(entry)) for entry in entries]
        names = (f"codecs.{self.name}.{'.'.join(map(str, entry['loc']))}" for entry in entries if entry["loc"])
        return CodecError("; ".join(sentences)).naming(*dict.fromkeys(names))

    def _sentence(self, entry: Mapping[str, Any]) -> str:
        """Returns an entry of pydantic's `ValidationError.errors()` as a sentence that names the option."""
        option = ".".join(map(str, entry["loc"]))
        if entry["type"] == "missing":
            return f"the codec '{self.name}' needs the option '{option}'"
        if entry["type"] == "extra_forbidden":
            names = [name for name, _ in options_of(self.options)]
            similar = get_close_matches(option, names, n=1)
            hint = f"did you mean '{similar[0]}'?" if similar else f"it has {', '.join(names) or 'none'}"
            return f"the codec '{self.name}' has no option '{option}'; {hint}"
        message = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Input ")
        value = f", not {entry['input']!r}" if _shown(self.options, entry["loc"]) else ""
        subject = f"the option '{option}' of the codec '{self.name}'" if option else f"the codec '{self.name}':"
        return f"{subject} {message}{value}"


def options_of(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Yields (name, pydantic's `FieldInfo`) of each option; options of a nested model have dotted names."""
    for name, info in model.model_fields.items():
        inner = model_in(info.annotation)
        if inner is None:
            yield name, info
        else:
            yield from ((f"{name}.{option}", field) for option, field in options_of(inner))


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Returns the nested model in the annotation of an option, such as `ServerOptions` in `ServerOptions | None`; None
    if there is none."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _required(model: type[BaseModel], values: Mapping[str, object], prefix: str) -> Iterator[RequiredOption]:
    for name, info in model.model_fields.items():
        inner = model_in(info.annotation)
        value = values.get(name)
        if isinstance(value, BaseModel):
            value = value.model_dump()
        if inner is not None and isinstance(value, Mapping):
            yield from _required(inner, value, f"{prefix}{name}.")
        elif info.is_required():
            yield RequiredOption(f"{prefix}{name}", value is not None)


def _shown(model: type[BaseModel], location: tuple[int | str, ...]) -> bool:
    """Returns whether a message may repeat the value at `location`; never for an option that is a nested model."""
    fields = dict(options_of(model))
    names = (".".join(map(str, location[:end])) for end in range(len(location), 0, -1))
    return next((bool(fields[name].repr) for name in names if name in fields), False)


def _checked(name: str, value: object) -> CodecPlugin[Any]:
    if not isinstance(value, CodecPlugin):
        raise PluginError(f"its entry point names a {type(value).__name__}, not a foxing.encoder.CodecPlugin")
    if value.name != name:
        raise PluginError(f"its entry point is called '{name}', but the codec '{value.name}'; give both the same name")
    if not (isinstance(value.options, type) and issubclass(value.options, CodecOptions)):
        raise PluginError("its options are not a subclass of foxing.encoder.CodecOptions")
    if not callable(value.load):
        raise PluginError("its load is not a function of a device and options")
    return value


#: Installed codecs.
CODECS: Plugins[CodecPlugin[Any]] = Plugins(GROUP, _checked)
