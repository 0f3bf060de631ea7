"""Measuring a codec: pages are encoded, decoded and compared with the originals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt
from PIL import Image
from rapidfuzz.distance import Levenshtein

from foxing.encoder.contract import Codec, Reading
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import Cells, Page, render

from .comparison import compare_pages, compare_words, count_characters
from .conditions import CONDITIONS
from .rows import BenchRow
from .text_size import text_size
from .word_classes import WordClass
from .word_lists import UNKNOWN_LANGUAGE

BATCH_PAGES = 8
CALIBRATION_BINS = 15
CLEAN = "clean"
CONDITIONS_TIER = "small"  # at which degraded images are measured
#: The tiers that a page passes through as it ages under the default policy.
AGEING_TIERS = ("base", "small", "tiny", "micro")


@dataclass(frozen=True)
class _Case:
    """What one row measures."""

    codec: Codec
    pages: Sequence[Page]
    tier: str
    #: The group of the pages.
    language: str
    #: What the pages are written in.
    text_language: str
    condition: str = CLEAN
    path: Literal["direct", "aged"] = "direct"


@dataclass
class _Pass:
    """The result of encoding and decoding pages at one tier."""

    #: The cells of the images.
    drawn: Sequence[Cells]
    tokens: list[VisionTokens] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    encode_s: float = 0.0
    decode_s: float = 0.0


class _Sizes(TypedDict):
    """Fields of `BenchRow` about tokens and bytes."""

    vision_tokens: int
    text_tokens: int
    compression: float
    bits_per_character: float
    zstd_bits_per_character: float
    ppmd_bits_per_character: float | None
    bytes_per_page: float
    bytes_per_token: int
    chars_per_4_per_token: float


class _CellFigures(TypedDict):
    """Fields of `BenchRow` about cells."""

    kept_share: float
    kept_accuracy: float
    character_accuracy: float
    invented_per_million: float
    calibration_error: float
    flagged_share: float
    flagged_errors_share: float
    silent_errors_per_10k: float


class _WordFigures(TypedDict):
    """Fields of `BenchRow` about words."""

    names: float | None
    numbers: float | None
    dates: float | None
    negations: float | None
    rare_words: float | None
    content_words: float | None
    common_words: float | None
    invented_words_per_million: float


def accuracy(original: str, read: str) -> float:
    """1 − Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(original), len(read))
    return 1 - Levenshtein.distance(original, read) / longer if longer else 1.0


def mean_accuracy(originals: Sequence[str], read: Sequence[str]) -> float:
    """The `accuracy` of each text, weighted by the characters of the original."""
    scores = [accuracy(original, text) * len(original) for original, text in zip(originals, read, strict=True)]
    return sum(scores) / max(1, sum(map(len, originals)))


def measure(
    codec: Codec,
    pages: Sequence[Page],
    tier: str,
    language: str,
    condition: str = CLEAN,
    text_language: str = UNKNOWN_LANGUAGE,
) -> BenchRow:
    """Encodes and decodes `pages` at `tier` in batches and compares the result. `language`: name of their group;
    `text_language`: what they are written in, which decides the classes of words. Raises `CodecError`."""
    case = _Case(codec, pages, tier, language, text_language, condition)
    return _row(case, _run(codec, [page.cells for page in pages], tier, condition))


def measure_ageing(
    codec: Codec,
    pages: Sequence[Page],
    language: str,
    tiers: Sequence[str] = AGEING_TIERS,
    text_language: str = UNKNOWN_LANGUAGE,
) -> Iterator[BenchRow]:
    """A row for every tier but the first, encoded from the text decoded at the tier before, as in a bank that keeps no
    text. Tiers that the codec lacks are skipped."""
    grids = [page.cells for page in pages]
    for step, tier in enumerate(tier for tier in tiers if tier in codec.tiers):
        done = _run(codec, grids, tier)
        if step:
            yield _row(_Case(codec, pages, tier, language, text_language, path="aged"), done)
        grids = [reading.cells for reading in done.readings]


def calibration_error(right: npt.NDArray[np.bool_], confidence: npt.NDArray[np.floating]) -> float:
    """Expected calibration error over `CALIBRATION_BINS` equal bins of confidence."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = 0.0
    for number in range(CALIBRATION_BINS):
        inside = bins == number
        if inside.any():
            error += float(inside.mean()) * abs(float(right[inside].mean()) - float(confidence[inside].mean()))
    return error


def _run(codec: Codec, grids: Sequence[Cells], tier: str, condition: str = CLEAN) -> _Pass:
    done = _Pass(grids)
    for start in range(0, len(grids), BATCH_PAGES):
        images: list[Image.Image] = [render(cells, codec.layout, tier) for cells in grids[start : start + BATCH_PAGES]]
        if condition != CLEAN:
            images = [CONDITIONS[condition](image) for image in images]
        begun = perf_counter()
        tokens = codec.encode(images, tier)
        encoded = perf_counter()
        done.readings += codec.decode(tokens)
        done.decode_s += perf_counter() - encoded
        done.encode_s += encoded - begun
        done.tokens += tokens
    return done


def _row(case: _Case, done: _Pass) -> BenchRow:
    texts = [page.text for page in case.pages]
    return BenchRow(
        tier=case.tier,
        language=case.language,
        pages=len(case.pages),
        characters=sum(map(len, texts)),
        accuracy=mean_accuracy(texts, [reading.text for reading in done.readings]),
        unread_pages=sum(reading.unread for reading in done.readings),
        encode_ms=done.encode_s * 1e3 / len(case.pages),
        decode_ms=done.decode_s * 1e3 / len(case.pages),
        condition=case.condition,
        path=case.path,
        **_sizes(texts, done.tokens),
        **_cell_figures(case.pages, done),
        **_word_figures(case, done),
    )


def _sizes(texts: Sequence[str], tokens: Sequence[VisionTokens]) -> _Sizes:
    characters = sum(map(len, texts))
    bits = 8 / max(1, characters)  # of a character, for each byte
    sizes = [text_size(text) for text in texts]
    ppmd_bytes = [size.ppmd_bytes for size in sizes if size.ppmd_bytes is not None]
    vision_tokens, text_tokens = sum(item.count for item in tokens), sum(size.tokens for size in sizes)
    token_bytes = sum(len(item.to_bytes()) for item in tokens)
    return {
        "vision_tokens": vision_tokens,
        "text_tokens": text_tokens,
        "compression": text_tokens / vision_tokens,
        "bits_per_character": token_bytes * bits,
        "zstd_bits_per_character": sum(size.zstd_bytes for size in sizes) * bits,
        "ppmd_bits_per_character": sum(ppmd_bytes) * bits if ppmd_bytes else None,
        "bytes_per_page": token_bytes / len(texts),
        "bytes_per_token": tokens[0].bytes_per_token,
        "chars_per_4_per_token": characters / 4 / vision_tokens,
    }


def _cell_figures(pages: Sequence[Page], done: _Pass) -> _CellFigures:
    found = compare_pages([page.cells for page in pages], done.drawn, done.readings)
    right, confidence = found.kept
    flagged = confidence < done.readings[0].flag_below
    wrong = ~right
    kept = max(1, len(right))
    return {
        "kept_share": found.kept_share,
        "kept_accuracy": found.kept_accuracy,
        "character_accuracy": found.character_accuracy,
        "invented_per_million": found.invented_per_million,
        "calibration_error": calibration_error(right, confidence),
        "flagged_share": float(flagged.sum()) / kept,
        "flagged_errors_share": float(flagged[wrong].mean()) if wrong.any() else 1.0,
        "silent_errors_per_10k": float((wrong & ~flagged).sum()) / kept * 1e4,
    }


def _word_figures(case: _Case, done: _Pass) -> _WordFigures:
    found = compare_words(case.pages, done.readings, case.text_language)
    characters = sum(count_characters(page.cells) for page in case.pages)
    return {
        "names": found.share(WordClass.NAME),
        "numbers": found.share(WordClass.NUMBER),
        "dates": found.share(WordClass.DATE),
        "negations": found.share(WordClass.NEGATION),
        "rare_words": found.share(WordClass.RARE),
        "content_words": found.share(WordClass.CONTENT),
        "common_words": found.share(WordClass.COMMON),
        "invented_words_per_million": found.invented * 1e6 / max(1, characters),
    }
