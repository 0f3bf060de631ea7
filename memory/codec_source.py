"""The codecs of a memory: the current one, and those that encoded older pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from foxing.encoder.errors import CodecError

if TYPE_CHECKING:
    from foxing.encoder import Codec, CodecOptions
    from foxing.encoder.plugin import GivenOptions

    #: Options of the current codec, or codec name → options.
    OptionsOfCodecs: TypeAlias = CodecOptions | Mapping[str, GivenOptions]


class CodecSource:
    """Loads codecs on first use and keeps them."""

    def __init__(self, codec: str | Codec, device: str = "auto", options: OptionsOfCodecs | None = None) -> None:
        """`codec`: the current codec or its name; `device`: "auto", "cpu" or "cuda"."""
        self._codec = codec
        self._device = device
        self._options = options
        self._loaded: dict[str, Codec] = {}

    @property
    def name(self) -> str:
        """Name of the current codec; does not load it."""
        return self._codec if isinstance(self._codec, str) else self._codec.name

    def current(self) -> Codec:
        """Returns the codec that encodes new pages, loaded if necessary. Raises `CodecError`."""
        return self.named(self._codec) if isinstance(self._codec, str) else self._codec

    def named(self, name: str) -> Codec:
        """Returns the codec called `name`, loaded if necessary. Raises `CodecError`."""
        codec = self._loaded.get(name)
        if codec is None:
            from foxing.encoder import load_codec

            codec = self._loaded[name] = load_codec(name, self._device, self._options_of(name))
        return codec

    def bundled(self, name: str) -> Codec:
        """Returns the codec called `name` if its package includes the weights. Raises `CodecError` for others: they are
        large models, which reading a page must not load implicitly."""
        from foxing.encoder.registry import find_codec

        if not find_codec(name).value.bundled:
            raise CodecError(
                f"move the page to the current codec with foxing reencode, or choose the codec '{name}'"
            ).naming("codec")
        return self.named(name)

    def _options_of(self, name: str) -> GivenOptions | None:
        if isinstance(self._options, Mapping):
            return self._options.get(name)
        return self._options if name == self._codec else None
