"""Plug-ins that other packages add by entry point.

Each kind of plug-in is a group of entry points, such as `foxing.codecs`. A package declares a plug-in in its metadata,
and installing the package is enough for it to be found:

    [project.entry-points."foxing.codecs"]
    morse = "morse_codec.plugin:PLUGIN"

Each group has one `Plugins` object, in the module that defines the kind of plug-in. This module is in the lowest layer
so that every layer can use it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from .errors import REPAIR_S, FoxingError, ProblemKind

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: Distribution with what talks to a service, which the other one requires in its own version.
CLIENT = "foxing-client"
#: Distributions of Foxing, whose plug-ins take precedence over others of the same name.
OWN_PACKAGES = ("foxing", CLIENT)

T = TypeVar("T")


class PluginError(FoxingError):
    """A plug-in does not exist or cannot be used."""

    kind = ProblemKind("plugin-broken", 503, "A plug-in cannot be used").after(REPAIR_S)


@dataclass(frozen=True)
class Plugin(Generic[T]):
    """Plug-in that was imported and checked."""

    #: Name of its entry point.
    name: str
    #: Distribution that declares it.
    package: str
    value: T


@dataclass(frozen=True)
class BrokenPlugin:
    """Plug-in that is declared but cannot be used."""

    name: str
    #: Distribution that declares it.
    package: str
    #: Why it cannot be used.
    reason: str


class Plugins(Generic[T]):
    """Plug-ins of one group, in the order of their names, those of this package first. Thread-safe.

    Names are read from the metadata of installed packages, without importing anything. A plug-in is imported on first
    use, and a broken one does not affect the others.
    """

    def __init__(self, group: str, check: Callable[[str, object], T]) -> None:
        """`check`: (name, object of the entry point) → the plug-in; raises `PluginError` if the object is not a plug-in
        of this group."""
        self.group = group
        self._check = check
        self._declared: dict[str, EntryPoint] | None = None
        self._shadowed: list[BrokenPlugin] = []
        self._loaded: dict[str, Plugin[T] | BrokenPlugin] = {}
        self._lock = RLock()

    def names(self) -> list[str]:
        """Returns the names of all plug-ins, broken ones included. Imports none of them."""
        return list(self._entries())

    def __contains__(self, name: str) -> bool:
        return name in self._entries()

    def package_of(self, name: str) -> str:
        """Returns the distribution that declares the plug-in `name`, without importing it. Raises `PluginError` if it
        does not exist."""
        return _package(self._entry(name))

    def get(self, name: str) -> Plugin[T]:
        """Returns the plug-in called `name`. Raises `PluginError` if it does not exist or is broken."""
        plugin = self._load(name)
        if isinstance(plugin, BrokenPlugin):
            raise PluginError(f"{self._described(plugin)} cannot be used: {plugin.reason}")
        return plugin

    def working(self) -> Iterator[Plugin[T]]:
        """Yields every plug-in that can be used. Imports all plug-ins."""
        for name in self.names():
            plugin = self._load(name)
            if isinstance(plugin, Plugin):
                yield plugin

    def broken(self) -> list[BrokenPlugin]:
        """Returns every plug-in that cannot be used. Imports all plug-ins."""
        loaded = [self._load(name) for name in self.names()]
        return [item for item in loaded if isinstance(item, BrokenPlugin)] + self._shadowed

    def refresh(self) -> None:
        """Clears the cache: the next call reads the installed packages again and retries broken plug-ins."""
        with self._lock:
            self._declared = None
            self._loaded.clear()

    def _entries(self) -> "dict[str, EntryPoint]":
        with self._lock:
            if self._declared is None:
                from importlib.metadata import entry_points

                self._declared = {}
                self._shadowed = []
                for entry in sorted(entry_points(group=self.group), key=_precedence):
                    first = self._declared.setdefault(entry.name, entry)
                    if _package(first) != _package(entry):
                        reason = f"the package {_package(first)} declares the same name; uninstall one of the packages"
                        self._shadowed.append(BrokenPlugin(entry.name, _package(entry), reason))
            return self._declared

    def _entry(self, name: str) -> "EntryPoint":
        entry = self._entries().get(name)
        if entry is None:
            names = ", ".join(self.names()) or "none; reinstall Foxing, whose metadata declares its own plug-ins"
            raise PluginError(f"no installed package declares '{name}' in {self.group} (available: {names})")
        return entry

    def _load(self, name: str) -> Plugin[T] | BrokenPlugin:
        entry = self._entry(name)
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._imported(entry)
            return self._loaded[name]

    def _imported(self, entry: "EntryPoint") -> Plugin[T] | BrokenPlugin:
        package = _package(entry)
        try:
            return Plugin(entry.name, package, self._check(entry.name, entry.load()))
        except PluginError as error:
            return BrokenPlugin(entry.name, package, str(error))
        except (Exception, SystemExit) as error:  # third-party code may raise anything
            return BrokenPlugin(entry.name, package, f"{entry.value} fails with {type(error).__name__}: {_line(error)}")

    def _described(self, item: BrokenPlugin) -> str:
        return f"'{item.name}' in {self.group}, from the package {item.package},"


class Factories(Plugins[Callable[[], object]], Generic[T]):
    """Plug-ins that are factories: callables without arguments that return an object of one kind."""

    def __init__(self, group: str, noun: str, kind: type, error: type[FoxingError], own: Iterable[str]) -> None:
        """`noun`: name of the kind of object, for messages; `kind`: its class or protocol; `error`: class of the errors
        that `open` raises; `own`: built-in names, which the caller opens itself."""
        super().__init__(group, self._factory)
        self._noun = noun
        self._kind = kind
        self._error = error
        self._own = frozenset(own)

    def choices(self) -> list[str]:
        """Returns all names that can be chosen, built-in ones included, sorted."""
        return sorted({*self._own, *self.names()})

    def check(self, name: str) -> None:
        """Raises the `error` class of this group if `name` cannot be chosen. Imports no plug-in."""
        if name not in self._own and name not in self:
            unknown = self._error(f"unknown {self._noun} '{name}'; choose one of {', '.join(self.choices())}")
            raise unknown.naming(self._noun.replace(" ", "_"))

    def open(self, name: str) -> T:
        """Calls the factory called `name` and returns its object. Raises the `error` class of this group if the plug-in
        does not exist or fails, or if the object lacks methods."""
        self.check(name)
        try:
            plugin = self.get(name)
            opened = plugin.value()
        except Exception as error:  # third-party code may raise anything
            raise self._error(f"the {self._noun} '{name}' cannot be opened: {error}") from error
        if not isinstance(opened, self._kind):
            raise self._error(f"the {self._noun} '{name}' of the package {plugin.package} lacks methods; update it")
        return cast(T, opened)

    def _factory(self, name: str, value: object) -> Callable[[], object]:
        if not callable(value):
            raise PluginError(f"'{name}' must name a callable that returns the {self._noun}")
        return value


def _package(entry: "EntryPoint") -> str:
    return "an unnamed package" if entry.dist is None else entry.dist.name


def _precedence(entry: "EntryPoint") -> tuple[bool, str, str]:
    package = _package(entry)
    return package not in OWN_PACKAGES, entry.name, package


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no message"
