"""Where a memory gets its codecs: the present one, and those that wrote older pages."""

from collections.abc import Mapping
from typing import TypedDict

from foxing.encoder import CODECS, Codec, CodecError, CodecOptions, load_codec


class CodecSettings(TypedDict, total=False):
    """How a codec that is given by name is loaded."""

    #: "auto", "cpu" or "cuda"; "auto" by default
    device: str
    #: tier → bytes of a vision token, where the default is not wanted
    token_bytes: Mapping[str, int] | None
    #: further options of the codec
    codec_options: CodecOptions | None


class CodecSource:
    """Loads codecs when they are first needed; a loaded one is shared within the process."""

    def __init__(
        self,
        codec: str | Codec,
        device: str = "auto",
        token_bytes: Mapping[str, int] | None = None,
        codec_options: CodecOptions | None = None,
    ) -> None:
        """`codec`: the present codec or its name; the others as in `CodecSettings`."""
        self._codec = codec
        self._device = device
        self._token_bytes = token_bytes
        self._options = codec_options

    @property
    def name(self) -> str:
        """Name of the codec that writes pages, which need not be loaded."""
        return self._codec if isinstance(self._codec, str) else self._codec.name

    def present(self) -> Codec:
        """The codec that writes pages. Raises `CodecError`."""
        if isinstance(self._codec, str):
            return load_codec(self._codec, self._device, self._token_bytes, self._options)
        return self._codec

    def named(self, name: str) -> Codec:
        """The codec called `name`. Raises `CodecError`."""
        return load_codec(name, self._device, options=self._options)

    def shipped(self, name: str) -> Codec:
        """The codec called `name` if it comes with the package; any other is a large model that reading a page must not
        load by itself. Raises `CodecError`."""
        entry = CODECS.get(name)
        if entry is not None and not entry.shipped:
            raise CodecError(f"move the page to the present codec by foxing reencode, or set FOXING_CODEC={name}")
        return self.named(name)
