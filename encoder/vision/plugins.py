"""Plug-ins of the codecs that run a third-party model, one for each class in `models`."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from pydantic import Field

from foxing.encoder.contract import Codec
from foxing.encoder.flag_thresholds import FlagThresholds
from foxing.encoder.plugin import CodecOptions, CodecPlugin, Dependencies
from foxing.encoder.remote.options import ServerOptions
from foxing.renderer import PageLayout

if TYPE_CHECKING:
    from foxing.encoder.remote.endpoint import Endpoint

    from .models.model import VisionModel

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
        description="Data type that the model computes in; 'auto' is bfloat16 on a GPU (float16 before Ampere) and "
        "float32 elsewhere.",
    )
    token_dtype: Literal["bfloat16", "float8_e4m3", "int8"] = Field(
        default="bfloat16",
        description="Data type that vision tokens are stored in. int8 (with one scale per 128 numbers) and float8_e4m3 "
        "halve their size at some cost in accuracy, int8 at the lower cost. Existing tokens of every type stay "
        "readable.",
    )
    batch_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Maximum number of positions, prompt and text together, in one batch of pages; by default what the "
        "memory allows that is free at the time.",
    )
    timeout_s: float = Field(
        default=600.0,
        gt=0,
        le=36_000,
        description="Maximum time in seconds for decoding a batch of pages in this process; pages that take longer "
        "count as not read.",
    )
    calibration: Path | None = Field(
        default=None,
        description="File with the confidence below which a character is flagged at each tier, as foxing codec bench "
        "--calibration writes it; 0.8 without one.",
    )


class DeepSeekOptions(VisionOptions):
    """Options of the codec `deepseek-ocr`."""

    remote: ServerOptions | None = Field(
        default=None,
        description="Server that decodes the vision tokens: vLLM with the same model, started with "
        "--enable-prompt-embeds. Without it they are decoded in this process. The stored tokens are the same, so it "
        "can be added or removed at any time.",
    )


def _loader(module: str, model_class: str) -> "Callable[[str, VisionOptions], Codec]":
    """Returns a loader of the codec over a class of `models`, which is imported on call."""

    def load(device: str, options: VisionOptions) -> Codec:
        loaded_class = getattr(import_module(f"{__package__}.models.{module}"), model_class)
        return _open(loaded_class, device, options, getattr(options, "remote", None))

    return load


def _open(model_class: "type[VisionModel]", device: str, options: VisionOptions, server: ServerOptions | None) -> Codec:
    """Loads the codec over the model in `options`; `server`, if given, decodes its tokens. Raises `CodecError`."""
    from foxing.encoder.device import pick_device

    from .codec import VisionCodec
    from .digest import weights_digest
    from .models.checkpoint import locate, page_layout, pick_dtype

    endpoint = (
        None if server is None else _endpoint(server)
    )  # first, so that its errors are raised before a large model is loaded
    torch_device = pick_device(device)
    checkpoint = locate(options.model or model_class.hub_id, options.revision)
    load = model_class.load if endpoint is None else model_class.load_encoder
    loaded = load(checkpoint, torch_device, pick_dtype(options.dtype, torch_device))
    weights = weights_digest(checkpoint)
    settings = VisionCodecSettings(
        layout=page_layout(checkpoint),
        source=checkpoint.name if options.revision is None else f"{checkpoint.name} at {options.revision}",
        token_dtype=options.token_dtype,
        batch_tokens=options.batch_tokens,
    )
    codec: VisionCodec
    if endpoint is None:
        codec = VisionCodec(loaded, weights, **settings)
    else:
        from .remote_decoding import RemoteVisionCodec

        codec = RemoteVisionCodec(loaded, weights, endpoint, **settings)
    codec.timeout_s = options.timeout_s
    if options.calibration is not None:
        codec.flag(FlagThresholds.read(options.calibration.expanduser()).thresholds_for(codec.name, weights))
    return codec


def _endpoint(server: ServerOptions) -> "Endpoint":
    from foxing.encoder.remote.endpoint import Endpoint  # imports packages that local decoding does not need

    return Endpoint(server)


class VisionCodecSettings(TypedDict):
    """Keyword arguments of `VisionCodec`."""

    layout: PageLayout
    source: str
    token_dtype: str
    batch_tokens: int | None


def _stores(models: str, tiers: str, server: str = "") -> str:
    return f"Stores the vision tokens of {models} and decodes them with its decoder{server}: printed pages, {tiers}."


_ON_A_SERVER = ", locally or on a server"
_GRID_TIERS = "large to tiny"
DEEPSEEK_OCR = CodecPlugin(
    "deepseek-ocr",
    _stores("DeepSeek-OCR", "large to tiny", _ON_A_SERVER),
    _loader("deepseek", "DeepSeekOcr"),
    DeepSeekOptions,
    needs=DEPENDENCIES,
)
GOT_OCR2 = CodecPlugin(
    "got-ocr2",
    _stores("GOT-OCR 2.0", "base only"),
    _loader("got", "GotOcr2"),
    VisionOptions,
    needs=DEPENDENCIES,
)
QWEN_VL = CodecPlugin(
    "qwen-vl",
    _stores("Qwen2.5-VL, Qwen3-VL or MinerU2.5", _GRID_TIERS),
    _loader("qwen", "QwenVl"),
    VisionOptions,
    needs=DEPENDENCIES,
)
