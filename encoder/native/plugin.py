"""The plug-in of the codec `native`."""

from pydantic import Field

from foxing.encoder.contract import Codec
from foxing.encoder.plugin import CodecOptions, CodecPlugin
from foxing.encoder.registry import load_codec

NAME = "native"


class NativeOptions(CodecOptions):
    """Options of the codec `native`."""

    token_bytes: dict[str, int] = Field(
        default_factory=dict,
        description="Bytes per vision token by tier, for tiers that should not use the default. More bytes are read "
        "more accurately. Existing tokens of any size that the weights offer stay readable.",
    )


def _load(device: str, options: NativeOptions) -> Codec:
    from .codec import NativeCodec

    if not options.token_bytes:
        return NativeCodec.load(device=device)
    usual = load_codec(NAME, device)  # the weights are in memory once, whatever the sizes
    assert isinstance(usual, NativeCodec)
    return usual.sized(options.token_bytes)


PLUGIN = CodecPlugin(
    NAME,
    "Foxing's own small codec, weights included: dense pages, every tier, fast enough on two CPU cores.",
    _load,
    NativeOptions,
    shipped=True,
)
