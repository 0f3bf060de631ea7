"""The plug-in of the codec `native`."""

from foxing.encoder.contract import Codec
from foxing.encoder.plugin import CodecOptions, CodecPlugin

NAME = "native"


class NativeOptions(CodecOptions):
    """Options of the codec `native`: there are none."""


def _load(device: str, options: NativeOptions) -> Codec:
    from .codec import NativeCodec

    return NativeCodec.load(device=device)


PLUGIN = CodecPlugin(
    NAME,
    "Foxing's own small codec, weights included: dense pages, every tier, fast enough on two CPU cores.",
    _load,
    NativeOptions,
    bundled=True,
)
