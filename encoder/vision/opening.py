"""From a name and options to a codec that is ready."""

from foxing.encoder.device import pick_device
from foxing.encoder.options import CodecOptions

from .codec import VisionCodec
from .loading import locate, pick_dtype, weights_digest
from .model import VisionModel


def open_codec(kind: type[VisionModel], model: str, device: str, options: CodecOptions) -> VisionCodec:
    """The codec over `model`, a hub id or a folder, read by `kind`. Raises `CodecError`."""
    chosen = pick_device(device)
    place = locate(model, options.revision)
    loaded = kind.load(place, chosen, pick_dtype(options.dtype, chosen))
    source = place.name if options.revision is None else f"{place.name} at {options.revision}"
    return VisionCodec(
        loaded,
        weights_digest(place),
        source=source,
        token_dtype=options.token_dtype,
        batch_tokens=options.batch_tokens,
    )
