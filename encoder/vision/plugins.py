"""Plug-ins of the codecs that run a third-party model, one for each class in `models`."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from foxing.encoder.contract import Codec
from foxing.encoder.flag_thresholds import FlagThresholds
from foxing.encoder.plugin import CodecOptions, CodecPlugin, Dependencies

if TYPE_CHECKING:
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
    calibration: Path | None = Field(
        default=None,
        description="File with the confidence below which a character is flagged at each tier, as foxing codec bench "
        "--calibration writes it; 0.8 without one.",
    )


def _plugin(name: str, models: str, tiers: str, module: str, model_class: str) -> CodecPlugin[VisionOptions]:
    """Returns the plug-in of a codec. `module`, `model_class`: its model in `models`, imported when it is loaded."""

    def load(device: str, options: VisionOptions) -> Codec:
        return _open(getattr(import_module(f"{__package__}.models.{module}"), model_class), device, options)

    description = f"Stores the vision tokens of {models} and decodes them with its decoder: printed pages, {tiers}."
    return CodecPlugin(name, description, load, VisionOptions, needs=DEPENDENCIES)


def _open(model_class: "type[VisionModel]", device: str, options: VisionOptions) -> Codec:
    from foxing.encoder.device import pick_device

    from .codec import VisionCodec
    from .digest import weights_digest
    from .models.checkpoint import locate, page_layout, pick_dtype

    torch_device = pick_device(device)
    checkpoint = locate(options.model or model_class.hub_id, options.revision)
    model = model_class.load(checkpoint, torch_device, pick_dtype(torch_device))
    source = checkpoint.name if options.revision is None else f"{checkpoint.name} at {options.revision}"
    codec = VisionCodec(model, weights_digest(checkpoint), source=source, layout=page_layout(checkpoint))
    if options.calibration is not None:
        calibration = FlagThresholds.read(options.calibration.expanduser())
        codec.flag(calibration.thresholds_for(codec.name, codec.weights))
    return codec


DEEPSEEK_OCR = _plugin("deepseek-ocr", "DeepSeek-OCR", "large to tiny", "deepseek", "DeepSeekOcr")
GOT_OCR2 = _plugin("got-ocr2", "GOT-OCR 2.0", "base only", "got", "GotOcr2")
QWEN_VL = _plugin("qwen-vl", "Qwen2.5-VL, Qwen3-VL or MinerU2.5", "large to tiny", "qwen", "QwenVl")
