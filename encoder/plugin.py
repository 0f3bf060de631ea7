"""Codec plug-ins, which a package declares so that its codec can be chosen by name.

    [project.entry-points."foxing.codecs"]
    morse = "morse_codec.plugin:PLUGIN"

The module of the plug-in must not import the dependencies of the codec: plug-ins are also listed where these are not
installed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

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
        fields = self.options.model_fields
        return tuple(
            RequiredOption(name, values.get(name) is not None) for name in fields if fields[name].is_required()
        )

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
            names = list(self.options.model_fields)
            similar = get_close_matches(option, names, n=1)
            hint = f"did you mean '{similar[0]}'?" if similar else f"it has {', '.join(names) or 'none'}"
            return f"the codec '{self.name}' has no option '{option}'; {hint}"
        message = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Input ")
        field = self.options.model_fields.get(str(next(iter(entry["loc"]), "")))
        value = f", not {entry['input']!r}" if field is not None and field.repr else ""
        subject = f"the option '{option}' of the codec '{self.name}'" if option else f"the codec '{self.name}':"
        return f"{subject} {message}{value}"


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
