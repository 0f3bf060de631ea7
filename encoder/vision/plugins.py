"""The plug-ins of the codecs that run a third-party model: `deepseek-ocr`, `got-ocr2` and `qwen-vl`."""

from typing import TYPE_CHECKING, Literal, TypedDict

from pydantic import Field

from foxing.encoder.contract import Codec
from foxing.encoder.plugin import CodecOptions, CodecPlugin, Dependencies
from foxing.encoder.remote.options import ServerOptions
from foxing.encoder.remote.plugin import DEPENDENCIES as SERVER_DEPENDENCIES
from foxing.renderer import PageLayout

if TYPE_CHECKING:
    from foxing.encoder.remote.endpoint import Endpoint

    from .model import VisionModel

DEFAULT_BATCH_TOKENS = 32_768
DEPENDENCIES = Dependencies("gpu", ("transformers", "tokenizers"))


class VisionOptions(CodecOptions):
    """Options of a codec that runs a third-party model."""

    model: str | None = Field(
        default=None,
        description="Hub id or folder of the model; by default the model that the codec is named after. Code that "
        "comes with a model is never run.",
    )
    revision: str | None = Field(
        default=None, description="Commit or tag of the model on the hub; set it to pin the model."
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        default="auto",
        description="Data type that the model computes in; 'auto' is bfloat16 on a GPU and float32 elsewhere.",
    )
    token_dtype: Literal["bfloat16", "float8_e4m3", "int8"] = Field(
        default="bfloat16",
        description="Data type that vision tokens are stored in. int8 (with one scale per 128 numbers) and float8_e4m3 "
        "halve their size at some cost in accuracy, int8 at the lower cost. Existing tokens of every type stay "
        "readable.",
    )
    batch_tokens: int = Field(
        default=DEFAULT_BATCH_TOKENS,
        ge=1,
        description="Maximum number of positions, prompt and text together, in one batch of pages; lower it if memory "
        "is short.",
    )


class DeepSeekOptions(VisionOptions):
    """Options of the codec `deepseek-ocr`."""

    remote: ServerOptions | None = Field(
        default=None,
        description="Server that decodes the vision tokens: vLLM with the same model, started with "
        "--enable-prompt-embeds. Without it they are decoded in this process. The stored tokens are the same, so it "
        "can be added or removed at any time.",
    )


def _open(
    model_class: "type[VisionModel]", model: str, device: str, options: VisionOptions, server: ServerOptions | None
) -> Codec:
    """The codec over `model`, a hub id or a folder; `server` decodes its tokens if given. Raises `CodecError`."""
    from foxing.encoder.device import pick_device

    from .checkpoint import locate, page_layout, pick_dtype
    from .codec import VisionCodec
    from .digest import weights_digest

    endpoint = None if server is None else _endpoint(server)  # its errors come before a large model is loaded
    torch_device = pick_device(device)
    checkpoint = locate(model, options.revision)
    loaded = model_class.load(checkpoint, torch_device, pick_dtype(options.dtype, torch_device))
    settings = VisionCodecSettings(
        layout=page_layout(checkpoint),
        source=checkpoint.name if options.revision is None else f"{checkpoint.name} at {options.revision}",
        token_dtype=options.token_dtype,
        batch_tokens=options.batch_tokens,
    )
    weights = weights_digest(checkpoint)
    if endpoint is None:
        return VisionCodec(loaded, weights, **settings)
    from .remote_decoding import RemoteVisionCodec

    return RemoteVisionCodec(loaded, weights, endpoint, **settings)


def _endpoint(server: ServerOptions) -> "Endpoint":
    from foxing.encoder.remote.endpoint import Endpoint  # imports packages that decoding here does not need

    return Endpoint(server)


class VisionCodecSettings(TypedDict):
    """What a `VisionCodec` is told beside its model and weights."""

    layout: PageLayout
    source: str
    token_dtype: str
    batch_tokens: int


def _deepseek_ocr(device: str, options: DeepSeekOptions) -> Codec:
    from .deepseek import HUB_ID, DeepSeekOcr

    return _open(DeepSeekOcr, options.model or HUB_ID, device, options, options.remote)


def _got_ocr2(device: str, options: VisionOptions) -> Codec:
    from .got import HUB_ID, GotOcr2

    return _open(GotOcr2, options.model or HUB_ID, device, options, None)


def _qwen_vl(device: str, options: VisionOptions) -> Codec:
    from .qwen import HUB_ID, QwenVl

    return _open(QwenVl, options.model or HUB_ID, device, options, None)


DEEPSEEK_OCR = CodecPlugin(
    "deepseek-ocr",
    "Stores the vision tokens of DeepSeek-OCR and decodes them with its decoder, here or on a server: printed pages, "
    "large to tiny.",
    _deepseek_ocr,
    DeepSeekOptions,
    needs=DEPENDENCIES,
    needs_for={"remote": SERVER_DEPENDENCIES},
)
GOT_OCR2 = CodecPlugin(
    "got-ocr2",
    "Stores the vision tokens of GOT-OCR 2.0 and decodes them with its decoder: printed pages, base only.",
    _got_ocr2,
    VisionOptions,
    needs=DEPENDENCIES,
)
QWEN_VL = CodecPlugin(
    "qwen-vl",
    "Stores the vision tokens of Qwen2.5-VL, Qwen3-VL or MinerU2.5 and decodes them with its decoder: printed pages, "
    "every tier.",
    _qwen_vl,
    VisionOptions,
    needs=DEPENDENCIES,
)
