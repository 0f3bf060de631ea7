"""Benchmark of a codec: accuracy, size, calibration and speed on pages of text it was never trained on.

Accuracy is 1 − Levenshtein distance / longer length over whole pages, without splicing in keepsakes. A native vision
token is a unit of storage and of recall; it saves an LLM context only where the LLM looks at page images.
"""

from .characters import CharacterRow, measure_characters
from .conditions import CONDITIONS
from .corpus import (
    DEVELOPMENT_PAGES,
    PageSet,
    development,
    held_out,
    identifier_texts,
    load_development,
    load_texts,
    named_file,
    texts_of,
)
from .measurement import (
    AGEING_TIERS,
    BATCH_PAGES,
    CONDITIONS_TIER,
    accuracy,
    calibration_error,
    compared,
    measure,
    measure_ageing,
    measure_sizes,
    offered_sizes,
    with_size,
)
from .rows import BenchRow
from .speed import CodecSpeed, TierSpeed, measure_speed

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
    "calibration_error",
    "compared",
    "development",
    "held_out",
    "identifier_texts",
    "load_development",
    "load_texts",
    "measure",
    "measure_ageing",
    "measure_characters",
    "measure_sizes",
    "measure_speed",
    "named_file",
    "offered_sizes",
    "texts_of",
    "with_size",
]
