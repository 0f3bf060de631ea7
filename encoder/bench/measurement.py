"""Codec measurements: pages are encoded, decoded and compared with the originals."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from rapidfuzz.distance import Levenshtein

from foxing.encoder.contract import Codec, Reading
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import Progress, render
from foxing.renderer.page import grid_text
from foxing.renderer.tiers import OWN_TIERS

from .comparison import compare_pages, compare_words, count_characters, kept_of_messages
from .corpus import PageSet, first_pages
from .drawing import BATCH_PAGES, CONDITIONS, DrawnPages, TierDrawer
from .rows import BenchRow
from .text_size import text_size

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


def accuracy(original: str, read: str) -> float:
    """Returns 1 − Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(original), len(read))
    return 1 - Levenshtein.distance(original, read) / longer if longer else 1.0


def mean_accuracy(originals: Sequence[str], read: Sequence[str]) -> float:
    """Returns the mean `accuracy`, weighted by the characters of the originals."""
    scores = [accuracy(original, text) * len(original) for original, text in zip(originals, read, strict=True)]
    return sum(scores) / max(1, sum(map(len, originals)))


def measure(codec: Codec, texts: PageSet, tier: str, language: str, condition: str = CLEAN) -> BenchRow:
    """Draws pages at `tier`, encodes and decodes them in batches, and compares the result with the originals.
    `language`: name of their group. Raises `CodecError`."""
    pages = TierDrawer(codec, texts)
    drawn = pages.draw(tier)
    case = _Case(texts, tier, language, drawn, pages.fades, condition)
    return _row(case, _run(codec, drawn, tier, condition))


def measure_ageing(
    codec: Codec, texts: PageSet, language: str, tiers: Sequence[str] = AGEING_TIERS
) -> Iterator[BenchRow]:
    """Measures repeated ageing, as in a bank that keeps no text: yields a row for every tier but the first, drawn from
    the reading at the tier before. Tiers that the codec lacks are skipped. See `measure` for ageing directly to a tier.
    Raises `CodecError`."""
    pages = TierDrawer(codec, texts)
    drawn = None
    readings = []
    for tier in (tier for tier in tiers if tier in codec.tiers):
        aged = drawn is not None
        drawn = pages.draw(tier) if drawn is None else pages.draw_read(drawn, readings, tier)
        done = _run(codec, drawn, tier)
        if aged:
            yield _row(_Case(texts, tier, language, drawn, pages.fades, path="aged"), done)
        readings = done.readings


def measure_rows(
    codec: Codec,
    groups: Mapping[str, PageSet],
    tiers: Sequence[str],
    progress: Progress,
    *,
    degraded: bool,
    ageing: bool,
) -> list[BenchRow]:
    """Measures each group at each tier, then degraded images and repeated ageing if requested, after one page at each
    tier, so that no row includes one-time set-up. `progress`: called with the measurements done and the total."""
    for tier in tiers:
        measure(codec, first_pages(next(iter(groups.values())), 1), tier, "")
    plan: list[Callable[[], Iterable[BenchRow]]] = []
    conditions = [(tier, CLEAN) for tier in tiers]
    if degraded and CONDITIONS_TIER in codec.tiers:
        conditions += [(CONDITIONS_TIER, condition) for condition in CONDITIONS]
    for name, texts in groups.items():
        for tier, condition in conditions:
            plan.append(partial(_measured, codec, texts, tier, name, condition))
        if ageing:
            plan.append(partial(measure_ageing, codec, texts, name))
    rows: list[BenchRow] = []
    for number, step in enumerate(plan, start=1):
        rows += step()
        progress(number, len(plan))
    return rows


def _measured(codec: Codec, texts: PageSet, tier: str, name: str, condition: str) -> list[BenchRow]:
    return [measure(codec, texts, tier, name, condition)]


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
    drawn = case.drawn
    texts = [page.text for page in pages]
    sizes = [text_size(text) for text in texts]
    ppmd_bytes = [size.ppmd_bytes for size in sizes if size.ppmd_bytes is not None]
    token_bytes = sum(len(item.to_bytes()) for item in done.tokens)
    vision_tokens = sum(item.count for item in done.tokens)
    text_tokens = sum(size.tokens for size in sizes)
    characters = sum(map(len, texts))
    inked = max(1, sum(count_characters(page.cells) for page in pages))
    bits = 8 / max(1, characters)  # bits per character for each byte
    cells = compare_pages(drawn.truth, [page.cells for page in drawn.pages], done.readings)
    words = compare_words(pages, done.readings, [page.placements for page in drawn.pages])
    right, confidence = cells.kept
    flagged = confidence < done.readings[0].flag_below
    wrong = ~right
    count = max(1, len(right))
    return BenchRow(
        tier=case.tier,
        language=case.language,
        pages=len(pages),
        characters=characters,
        accuracy=mean_accuracy([grid_text(part) for part in drawn.truth], [reading.text for reading in done.readings]),
        vision_tokens=vision_tokens,
        text_tokens=text_tokens,
        compression=text_tokens / vision_tokens,
        bits_per_character=token_bytes * bits,
        zstd_bits_per_character=sum(size.zstd_bytes for size in sizes) * bits,
        calibration_error=calibration_error(right, confidence),
        flagged_share=float(flagged.sum()) / count,
        flagged_errors_share=float(flagged[wrong].mean()) if wrong.any() else 1.0,
        silent_errors_per_10k=float((wrong & ~flagged).sum()) / count * 1e4,
        encode_ms=done.encode_s * 1e3 / len(pages),
        decode_ms=done.decode_s * 1e3 / len(pages),
        condition=case.condition,
        path=case.path,
        kept_share=kept_of_messages(pages, drawn.pages, done.readings) if case.fades else cells.kept_share,
        kept_accuracy=cells.kept_accuracy,
        invented_per_million=cells.invented * 1e6 / inked,
        bytes_per_page=token_bytes / len(texts),
        ppmd_bits_per_character=sum(ppmd_bytes) * bits if ppmd_bytes else None,
        unread_pages=sum(reading.unread for reading in done.readings),
        words=words.words_kept / words.words if words.words else None,
        facts=words.facts_kept / words.facts if words.facts else None,
        invented_words_per_million=words.invented * 1e6 / inked,
    )
