"""Image preprocessing of a model: resizing and normalisation as in `preprocessor_config.json`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from foxing.encoder.errors import CodecError

from .checkpoint import Checkpoint

FILES = ("preprocessor_config.json", "processor_config.json")
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Preprocessing:
    """Published preprocessing of a model."""

    #: Limits of an image's area, in px.
    min_pixels: int
    max_pixels: int
    #: Mean and standard deviation of the pixels by channel, in [0, 1].
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    def side_px(self, side_px: int, step_px: int) -> int:
        """Returns the side in px to which the processor resizes a square image: a multiple of `step_px` within the
        limits."""
        resized = round(side_px / step_px) * step_px
        if resized**2 > self.max_pixels:
            shrunk = side_px / math.sqrt(side_px**2 / self.max_pixels)
            return max(step_px, math.floor(shrunk / step_px) * step_px)
        if resized**2 < self.min_pixels:
            grown = side_px * math.sqrt(self.min_pixels / side_px**2)
            return math.ceil(grown / step_px) * step_px
        return resized


def read_preprocessing(checkpoint: Checkpoint, default: Preprocessing) -> Preprocessing:
    """Returns `default`, overridden by the processor file in the checkpoint. Raises `CodecError` if it is invalid."""
    name, fields = _fields(checkpoint)
    size = fields.get("size")
    size = size if isinstance(size, dict) else {}
    try:
        return replace(
            default,
            min_pixels=int(fields.get("min_pixels") or size.get("shortest_edge") or default.min_pixels),
            max_pixels=int(fields.get("max_pixels") or size.get("longest_edge") or default.max_pixels),
            mean=_channels(fields.get("image_mean"), default.mean),
            std=_channels(fields.get("image_std"), default.std),
        )
    except (TypeError, ValueError) as error:
        raise CodecError(f"the {name} of {checkpoint.name} is invalid ({error}); download it again") from error


def _fields(checkpoint: Checkpoint) -> tuple[str, Mapping[str, Any]]:
    """Returns the name and the fields of the processor file; no fields if the file does not exist."""
    for name in FILES:
        path = checkpoint.folder / name
        if not path.is_file():
            continue
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CodecError(f"the {name} of {checkpoint.name} cannot be read ({error}); download it again") from error
        fields = fields.get("image_processor", fields) if isinstance(fields, dict) else None
        if not isinstance(fields, dict):
            raise CodecError(f"the {name} of {checkpoint.name} does not describe a processor; download it again")
        return name, fields
    return FILES[0], {}


def _channels(published: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    """Parses three numbers, one per channel. Raises `ValueError` or `TypeError`."""
    values = default if published is None else tuple(float(value) for value in published)
    if len(values) != 3:
        raise ValueError(f"{len(values)} channels, expected 3")
    return values
