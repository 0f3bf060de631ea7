"""Plug-in of the codec `remote`."""

from foxing.encoder.contract import Codec
from foxing.encoder.plugin import CodecPlugin

from .options import RemoteOptions


def _load(device: str, options: RemoteOptions) -> Codec:
    from .codec import EndpointCodec

    return EndpointCodec.load(options)


PLUGIN = CodecPlugin(
    "remote",
    "Stores page images, and reads them with a vision model behind an OpenAI-compatible endpoint.",
    _load,
    RemoteOptions,
)
