"""Codec measurements: pages are encoded, decoded and compared with the originals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt
from PIL import Image
from rapidfuzz.distance import Levenshtein

from foxing.encoder.contract import Codec, Reading
from foxing.encoder.drawing import PageDrawer
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import OWN_TIERS, Page, grid_text, render

from .comparison import compare_pages, compare_words, count_characters, kept_of_messages
from .corpus import PageSet
from .drawing import BATCH_PAGES, CONDITIONS, DrawnPages, TierDrawer
from .rows import BenchRow
from .text_size import text_size
from .word_classes import WordClass

CALIBRATION_BINS = 15
CLEAN = "clean"
CONDITIONS_TIER = "small"  # tier at which degraded images are measured
#: Tiers through which a page passes as it ages under the default policy.
AGEING_TIERS = tuple(tier.name for tier in OWN_TIERS if tier.from_age is not None)


@dataclass(frozen=True)
class _Case:
    """Measurement of one row."""

    texts: PageSet
    tier: str
    #: Group of the pages.
    language: str
    #: Pages as drawn at the tier.
    drawn: DrawnPages
    #: Whether the codec's pages fade.
    fades: bool
    condition: str = CLEAN
    path: Literal["direct", "aged"] = "direct"


@dataclass
class _Pass:
    """Result of encoding and decoding pages at one tier."""

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
    identifiers: float | None
    recalled_text_tokens: float | None


def accuracy(original: str, read: str) -> float:
    """Returns 1 − Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(original), len(read))
    return 1 - Levenshtein.distance(original, read) / longer if longer else 1.0


def mean_accuracy(originals: Sequence[str], read: Sequence[str]) -> float:
    """Returns the mean `accuracy`, weighted by the characters of the originals."""
    scores = [accuracy(original, text) * len(original) for original, text in zip(originals, read, strict=True)]
    return sum(scores) / max(1, sum(map(len, originals)))


def measure(
    codec: Codec,
    texts: PageSet,
    tier: str,
    language: str,
    condition: str = CLEAN,
    drawer: PageDrawer | None = None,
) -> BenchRow:
    """Draws pages at `tier`, encodes and decodes them in batches, and compares the result with the originals.
    `language`: name of their group; `drawer`: drawer of faded pages, created for the codec if None. Raises
    `CodecError`."""
    pages = TierDrawer(codec, texts, drawer)
    drawn = pages.draw(tier)
    case = _Case(texts, tier, language, drawn, pages.fades, condition)
    return _row(case, _run(codec, drawn, tier, condition))


def measure_ageing(
    codec: Codec,
    texts: PageSet,
    language: str,
    tiers: Sequence[str] = AGEING_TIERS,
    drawer: PageDrawer | None = None,
) -> Iterator[BenchRow]:
    """Measures repeated ageing, as in a bank that keeps no text: yields a row for every tier but the first, drawn from
    the reading at the tier before. Tiers that the codec lacks are skipped. See `measure` for ageing directly to a tier.
    Raises `CodecError`."""
    pages = TierDrawer(codec, texts, drawer)
    drawn = None
    readings = []
    for tier in (tier for tier in tiers if tier in codec.tiers):
        aged = drawn is not None
        drawn = pages.draw(tier) if drawn is None else pages.draw_read(drawn, readings, tier)
        done = _run(codec, drawn, tier)
        if aged:
            yield _row(_Case(texts, tier, language, drawn, pages.fades, path="aged"), done)
        readings = done.readings


def calibration_error(right: npt.NDArray[np.bool_], confidence: npt.NDArray[np.floating]) -> float:
    """Returns the expected calibration error over `CALIBRATION_BINS` equal bins of confidence. `right`: bool[n];
    `confidence`: float[n] in [0, 1]."""
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = 0.0
    for number in range(CALIBRATION_BINS):
        inside = bins == number
        if inside.any():
            error += float(inside.mean()) * abs(float(right[inside].mean()) - float(confidence[inside].mean()))
    return error


def _run(codec: Codec, drawn: DrawnPages, tier: str, condition: str = CLEAN) -> _Pass:
    done = _Pass()
    for start in range(0, len(drawn.pages), BATCH_PAGES):
        pages = drawn.pages[start : start + BATCH_PAGES]
        images: list[Image.Image] = [render(page.cells, codec.layout, tier) for page in pages]
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
    pages = case.texts.pages
    texts = [page.text for page in pages]
    drawn = [grid_text(cells) for cells in case.drawn.truth]
    return BenchRow(
        tier=case.tier,
        language=case.language,
        pages=len(pages),
        characters=sum(map(len, texts)),
        accuracy=mean_accuracy(drawn, [reading.text for reading in done.readings]),
        unread_pages=sum(reading.unread for reading in done.readings),
        encode_ms=done.encode_s * 1e3 / len(pages),
        decode_ms=done.decode_s * 1e3 / len(pages),
        condition=case.condition,
        path=case.path,
        **_sizes(texts, done.tokens),
        **_cell_figures(case, done.readings),
        **_word_figures(case, done.readings),
    )


def _sizes(texts: Sequence[str], tokens: Sequence[VisionTokens]) -> _Sizes:
    characters = sum(map(len, texts))
    bits = 8 / max(1, characters)  # bits per character for each byte
    sizes = [text_size(text) for text in texts]
    ppmd_bytes = [size.ppmd_bytes for size in sizes if size.ppmd_bytes is not None]
    vision_tokens = sum(item.count for item in tokens)
    text_tokens = sum(size.tokens for size in sizes)
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


def _cell_figures(case: _Case, readings: Sequence[Reading]) -> _CellFigures:
    pages = case.texts.pages
    drawn = case.drawn
    comparison = compare_pages(drawn.truth, [page.cells for page in drawn.pages], readings)
    right, confidence = comparison.kept
    flagged = confidence < readings[0].flag_below
    wrong = ~right
    count = max(1, len(right))
    kept_share = kept_of_messages(pages, drawn.pages, readings) if case.fades else comparison.kept_share
    return {
        "kept_share": kept_share,
        "kept_accuracy": comparison.kept_accuracy,
        "character_accuracy": kept_share * comparison.kept_accuracy if case.fades else comparison.character_accuracy,
        "invented_per_million": comparison.invented * 1e6 / max(1, _characters(pages)),
        "calibration_error": calibration_error(right, confidence),
        "flagged_share": float(flagged.sum()) / count,
        "flagged_errors_share": float(flagged[wrong].mean()) if wrong.any() else 1.0,
        "silent_errors_per_10k": float((wrong & ~flagged).sum()) / count * 1e4,
    }


def _word_figures(case: _Case, readings: Sequence[Reading]) -> _WordFigures:
    pages = case.texts.pages
    comparison = compare_words(pages, readings, case.texts.language, [page.placements for page in case.drawn.pages])
    return {
        "names": comparison.share(WordClass.NAME),
        "numbers": comparison.share(WordClass.NUMBER),
        "dates": comparison.share(WordClass.DATE),
        "negations": comparison.share(WordClass.NEGATION),
        "rare_words": comparison.share(WordClass.RARE),
        "content_words": comparison.share(WordClass.CONTENT),
        "common_words": comparison.share(WordClass.COMMON),
        "invented_words_per_million": comparison.invented * 1e6 / max(1, _characters(pages)),
        "identifiers": comparison.identifier_share,
        "recalled_text_tokens": comparison.text_tokens_share,
    }


def _characters(pages: Sequence[Page]) -> int:
    return sum(count_characters(page.cells) for page in pages)
