"""Codec benchmark: accuracy, size, calibration and speed on pages of held-out text.

Accuracy is 1 − Levenshtein distance / longer length over whole pages, without splicing in keepsakes. Text that exceeds
the capacity of a tier reads as a gap, which is counted separately from errors. Pages of a codec with costs are drawn as
in a memory: words fade until the rest fits. A native vision token is a unit of storage and of recall; it saves LLM
context only where the LLM looks at page images.
"""

from .characters import CharacterRow, measure_characters
from .comparison import compared
from .corpus import (
    DEVELOPMENT_PAGES,
    PageSet,
    development,
    first_pages,
    held_out,
    identifier_texts,
    load_texts,
    named_file,
    texts_of,
)
from .drawing import BATCH_PAGES, CONDITIONS
from .measurement import (
    AGEING_TIERS,
    CONDITIONS_TIER,
    accuracy,
    calibration_error,
    measure,
    measure_ageing,
    measure_rows,
)
from .rows import BenchRow
from .speed import CodecSpeed, TierSpeed, measure_speed
from .thresholds import calibrate, measure_thresholds

__all__ = [
    "AGEING_TIERS",
    "BATCH_PAGES",
    "CONDITIONS",
    "CONDITIONS_TIER",
    "DEVELOPMENT_PAGES",
    "BenchRow",
    "CharacterRow",
    "CodecSpeed",
    "PageSet",
    "TierSpeed",
    "accuracy",
    "calibrate",
    "calibration_error",
    "compared",
    "development",
    "first_pages",
    "held_out",
    "identifier_texts",
    "load_texts",
    "measure",
    "measure_ageing",
    "measure_characters",
    "measure_rows",
    "measure_speed",
    "measure_thresholds",
    "named_file",
    "texts_of",
]
