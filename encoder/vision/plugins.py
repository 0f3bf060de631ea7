"""The plug-ins of the codecs that run a third-party model: `deepseek-ocr`, `got-ocr2` and `qwen-vl`."""

from typing import Literal

from pydantic import Field

from foxing.encoder.contract import Codec
from foxing.encoder.plugin import CodecOptions, CodecPlugin, Dependencies
from foxing.encoder.remote.options import ServerOptions
from foxing.encoder.remote.plugin import DEPENDENCIES as SERVER_DEPENDENCIES

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


def _deepseek_ocr(device: str, options: DeepSeekOptions) -> Codec:
    from .deepseek import HUB_ID, DeepSeekOcr
    from .factory import open_codec

    return open_codec(DeepSeekOcr, options.model or HUB_ID, device, options, options.remote)


def _got_ocr2(device: str, options: VisionOptions) -> Codec:
    from .factory import open_codec
    from .got import HUB_ID, GotOcr2

    return open_codec(GotOcr2, options.model or HUB_ID, device, options)


def _qwen_vl(device: str, options: VisionOptions) -> Codec:
    from .factory import open_codec
    from .qwen import HUB_ID, QwenVl

    return open_codec(QwenVl, options.model or HUB_ID, device, options)


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
