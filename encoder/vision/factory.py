"""Construction of a codec from a model class and options."""

from foxing.encoder.device import pick_device
from foxing.encoder.errors import CodecError
from foxing.encoder.options import CodecOptions
from foxing.encoder.remote.endpoint import Endpoint

from .checkpoint import locate, page_layout, pick_dtype
from .codec import VisionCodec
from .digest import weights_digest
from .model import VisionModel
from .remote_decoding import RemoteVisionCodec


def open_codec(model_class: type[VisionModel], model: str, device: str, options: CodecOptions) -> VisionCodec:
    """The codec over `model`, a hub id or a folder. Raises `CodecError`."""
    endpoint = _endpoint(model_class, options) if options.decoder == "remote" else None
    torch_device = pick_device(device)
    checkpoint = locate(model, options.revision)
    loaded = model_class.load(checkpoint, torch_device, pick_dtype(options.dtype, torch_device))
    weights, layout = weights_digest(checkpoint), page_layout(checkpoint)
    source = checkpoint.name if options.revision is None else f"{checkpoint.name} at {options.revision}"
    if endpoint is None:
        return VisionCodec(
            loaded,
            weights,
            layout=layout,
            source=source,
            token_dtype=options.token_dtype,
            batch_tokens=options.batch_tokens,
        )
    return RemoteVisionCodec(
        loaded,
        weights,
        endpoint,
        layout=layout,
        source=source,
        token_dtype=options.token_dtype,
        batch_tokens=options.batch_tokens,
    )


def _endpoint(model_class: type[VisionModel], options: CodecOptions) -> Endpoint:
    """The decoding server. Raises `CodecError` before a model that cannot use one is loaded."""
    if not model_class.supports_prompt_embeddings:
        raise CodecError(
            f"the stored tokens of {model_class.name} cannot be decoded by a server, only those of deepseek-ocr can; "
            "set FOXING_CODEC_DECODER=here"
        )
    return Endpoint(options.remote)
