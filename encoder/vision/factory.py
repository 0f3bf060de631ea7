"""From a name and options to a codec that is ready."""

from foxing.encoder.device import pick_device
from foxing.encoder.remote.endpoint import Endpoint
from foxing.encoder.remote.options import ServerOptions

from .codec import VisionCodec
from .loading import locate, page_layout, pick_dtype, weights_digest
from .model import VisionModel
from .plugins import VisionOptions
from .remote_decoding import ServedVisionCodec


def open_codec(
    kind: type[VisionModel], model: str, device: str, options: VisionOptions, server: ServerOptions | None = None
) -> VisionCodec:
    """The codec over `model`, a hub id or a folder, read by `kind`; `server` decodes its tokens if given. Raises
    `CodecError`."""
    endpoint = None if server is None else Endpoint(server)  # before a model is loaded in vain
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
    return ServedVisionCodec(
        loaded,
        weights,
        endpoint,
        layout=layout,
        source=source,
        token_dtype=options.token_dtype,
        batch_tokens=options.batch_tokens,
    )
