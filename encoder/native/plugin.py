"""Plug-in of the codec `native`."""

from foxing.encoder.contract import Codec
from foxing.encoder.plugin import CodecOptions, CodecPlugin

NAME = "native"


class NativeOptions(CodecOptions):
    """Options of the codec `native`, which has none."""


def _load(device: str, options: NativeOptions) -> Codec:
    from .codec import NativeCodec

    return NativeCodec.load(device=device)


PLUGIN = CodecPlugin(
    NAME,
    "Small built-in codec, weights included: dense pages, every tier, fast enough on two CPU cores.",
    _load,
    NativeOptions,
    bundled=True,
)
