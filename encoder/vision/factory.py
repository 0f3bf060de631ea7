"""From a name and options to a codec that is ready."""

from typing import TYPE_CHECKING

from foxing.encoder.device import pick_device
from foxing.encoder.errors import CodecError
from foxing.encoder.options import CodecOptions

from .codec import VisionCodec
from .loading import locate, page_layout, pick_dtype, weights_digest
from .model import VisionModel

if TYPE_CHECKING:  # needs packages that decoding here does not
    from foxing.encoder.remote.endpoint import Endpoint


def open_codec(kind: type[VisionModel], model: str, device: str, options: CodecOptions) -> VisionCodec:
    """The codec over `model`, a hub id or a folder, read by `kind`. Raises `CodecError`."""
    endpoint = _endpoint(kind, options) if options.decoder == "remote" else None
    chosen = pick_device(device)
    place = locate(model, options.revision)
    loaded = kind.load(place, chosen, pick_dtype(options.dtype, chosen))
    weights, layout = weights_digest(place), page_layout(place)
    source = place.name if options.revision is None else f"{place.name} at {options.revision}"
    if endpoint is None:
        return VisionCodec(
            loaded,
            weights,
            layout=layout,
            source=source,
            token_dtype=options.token_dtype,
            batch_tokens=options.batch_tokens,
        )
    from .remote_decoding import ServedVisionCodec

    return ServedVisionCodec(
        loaded,
        weights,
        endpoint,
        layout=layout,
        source=source,
        token_dtype=options.token_dtype,
        batch_tokens=options.batch_tokens,
    )


def _endpoint(kind: type[VisionModel], options: CodecOptions) -> "Endpoint":
    """Where tokens are decoded. Raises `CodecError`, before a model is loaded in vain."""
    if not kind.embeds:
        raise CodecError(
            f"the stored tokens of {kind.name} cannot be decoded by a server, those of deepseek-ocr alone can; set "
            "FOXING_CODEC_DECODER=here"
        )
    from foxing.encoder.remote.endpoint import Endpoint

    return Endpoint(options.remote)
