"""The codecs of a memory: the present one, and those that wrote pages before it."""

from collections.abc import Mapping
from dataclasses import dataclass

from foxing.encoder import Codec, CodecError, CodecOptions, GivenOptions, find_codec, load_codec

#: Options of the present codec, or those of several by the names of the codecs.
OptionsOfCodecs = CodecOptions | Mapping[str, GivenOptions]


@dataclass(frozen=True)
class CodecSource:
    """Loads codecs when they are needed. Thread-safe."""

    #: The present codec, or its name.
    codec: str | Codec = "native"
    device: str = "auto"
    options: OptionsOfCodecs | None = None

    def present(self) -> Codec:
        """The codec that encodes pages. Raises `CodecError`."""
        if isinstance(self.codec, str):
            return self.writer(self.codec)
        return self.codec

    def writer(self, name: str) -> Codec:
        """The codec called `name`, which wrote pages before the present one. Raises `CodecError`."""
        return load_codec(name, self.device, self._options(name))

    def shipped_writer(self, name: str) -> Codec:
        """The same, for reading a page, which must not load a large model unasked. Raises `CodecError` for a codec
        whose weights do not come with its package."""
        if not find_codec(name).value.shipped:
            raise CodecError(
                f"move the page to the present codec by foxing reencode, or choose the codec '{name}'"
            ).naming("codec")
        return self.writer(name)

    def _options(self, name: str) -> GivenOptions | None:
        if isinstance(self.options, CodecOptions):
            return self.options if name == self.codec else None
        return None if self.options is None else self.options.get(name)
