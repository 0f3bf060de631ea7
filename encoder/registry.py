"""Codec registry: loads codecs by name, once per process."""

from collections.abc import Callable
from copy import copy
from threading import Lock
from time import monotonic
from typing import Any

from foxing.renderer.plugins import Plugin, PluginError

from .contract import Codec
from .errors import CodecError
from .plugin import CODECS, CodecOptions, CodecPlugin, GivenOptions

FAILED_FOR_S = 10.0  # a failed load is not retried for this long
_seconds: Callable[[], float] = monotonic


class _Loading:
    """Loader of one codec. Concurrent callers wait for the first, and share its failure for `FAILED_FOR_S`."""

    def __init__(self, options: CodecOptions) -> None:
        self.options = options
        self._lock = Lock()
        self._codec: Codec | None = None
        self._failure: CodecError | None = None
        self._failed_at = 0.0

    def get(self, load: Callable[[], Codec]) -> Codec:
        with self._lock:
            if self._codec is not None:
                return self._codec
            if self._failure is not None and _seconds() - self._failed_at < FAILED_FOR_S:
                raise copy(self._failure) from self._failure
            try:
                self._codec = load()
            except CodecError as error:
                self._failure = error
                self._failed_at = _seconds()
                raise
            return self._codec


#: (name, device) → one loader per set of options. Options are compared, not hashed, because some hold mappings.
_loading: dict[tuple[str, str], list[_Loading]] = {}
_lock = Lock()


def load_codec(name: str = "native", device: str = "auto", options: GivenOptions | None = None) -> Codec:
    """Returns the codec called `name` on `device` ("auto", "cpu", "cuda"), loaded once per process.

    `options`: an instance of the codec's options model, or option → value. Raises `CodecError` for an unknown name, an
    extra that is not installed, missing weights, invalid or missing options, or an unavailable device. The same failure
    is raised for `FAILED_FOR_S` seconds without another attempt.
    """
    plugin = find_codec(name)
    parsed = plugin.value.parse(options)
    _check_installed(plugin)
    with _lock:
        instances = _loading.setdefault((name, device), [])
        loading = next((item for item in instances if item.options == parsed), None)
        if loading is None:
            loading = _Loading(parsed)
            instances.append(loading)
    return loading.get(lambda: plugin.value.load(device, parsed))


def find_codec(name: str) -> Plugin[CodecPlugin[Any]]:
    """Returns the plug-in of the codec called `name`. Raises `CodecError` if it does not exist or is broken."""
    try:
        return CODECS.get(name)
    except PluginError as error:
        if name in CODECS:
            raise CodecError(str(error)) from error
        names = ", ".join(CODECS.names()) or "none; reinstall Foxing, whose metadata declares its own codecs"
        raise CodecError(f"unknown codec '{name}'; available: {names}").naming("codec") from error


def _check_installed(plugin: Plugin[CodecPlugin[Any]]) -> None:
    missing = plugin.value.missing()
    needs = plugin.value.needs
    if missing and needs is not None:
        raise CodecError(
            f"the codec '{plugin.name}' needs {' and '.join(missing)}; pip install '{plugin.package}[{needs.extra}]'"
        )
