"""Measuring a codec: pages are encoded, decoded and compared with the originals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import zstandard
from PIL import Image
from rapidfuzz.distance import Levenshtein

from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.contract import Codec, Reading
from foxing.encoder.errors import CodecError
from foxing.encoder.text_tokens import count_text_tokens
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import BLANK, WIDE_TAIL, Cells, Page, render

from .conditions import CONDITIONS
from .rows import BenchRow

BATCH_PAGES = 8
CALIBRATION_BINS = 15
CLEAN = "clean"
CONDITIONS_TIER = "small"  # at which degraded images are measured
#: The tiers that a page passes through as it ages under the default policy.
AGEING_TIERS = ("base", "small", "tiny", "micro")


class CellComparison(NamedTuple):
    """The characters of some pages beside what was decoded, flat, in reading order."""

    #: bool[n]: whether the character's cell was decoded right.
    right: npt.NDArray[np.bool_]
    #: float32[n] in [0, 1]: the codec's confidence.
    confidence: npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Case:
    """What one row measures."""

    codec: Codec
    pages: Sequence[Page]
    tier: str
    language: str
    condition: str = CLEAN
    path: Literal["direct", "aged"] = "direct"


@dataclass
class _Pass:
    """The result of encoding and decoding pages at one tier."""

    tokens: list[VisionTokens] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    encode_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True)
class _Flagging:
    """How well flags find errors; fields as in `BenchRow`."""

    flagged_share: float
    flagged_errors_share: float
    silent_errors_per_10k: float


def accuracy(original: str, read: str) -> float:
    """1 − Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(original), len(read))
    return 1 - Levenshtein.distance(original, read) / longer if longer else 1.0


def mean_accuracy(originals: Sequence[str], read: Sequence[str]) -> float:
    """The `accuracy` of each text, weighted by the characters of the original."""
    scores = [accuracy(original, text) * len(original) for original, text in zip(originals, read, strict=True)]
    return sum(scores) / max(1, sum(map(len, originals)))


def measure(codec: Codec, pages: Sequence[Page], tier: str, language: str, condition: str = CLEAN) -> BenchRow:
    """Encodes and decodes `pages` at `tier` in batches and compares the result. Raises `CodecError`."""
    case = _Case(codec, pages, tier, language, condition)
    return _row(case, _run(codec, [page.cells for page in pages], tier, condition))


def measure_sizes(codec: Codec, pages: Sequence[Page], tier: str, language: str) -> Iterator[BenchRow]:
    """A row for each token size that the codec offers at `tier`, except the default, which `measure` covers."""
    for size in offered_sizes(codec, tier)[1:]:
        done = _run(with_size(codec, tier, size), [page.cells for page in pages], tier)
        yield _row(_Case(codec, pages, tier, language), done)


def offered_sizes(codec: Codec, tier: str) -> tuple[int, ...]:
    """Token sizes in bytes that the codec can write at `tier`, the default first."""
    default = codec.tiers[tier].bytes_per_token
    resizable = capabilities_of(codec).resizable
    sizes = () if resizable is None else resizable.sizes.get(tier, ())
    return (default, *sorted(set(sizes) - {default}))


def with_size(codec: Codec, tier: str, size: int) -> Codec:
    """The codec writing tokens of `size` bytes at `tier`. Raises `CodecError` for a size it does not offer."""
    if size == codec.tiers[tier].bytes_per_token:
        return codec
    resizable = capabilities_of(codec).resizable
    if resizable is None:
        raise CodecError(f"the codec '{codec.name}' has only one token size at '{tier}', not {size} bytes")
    return resizable.sized({tier: size})


def measure_ageing(
    codec: Codec, pages: Sequence[Page], language: str, tiers: Sequence[str] = AGEING_TIERS
) -> Iterator[BenchRow]:
    """A row for every tier but the first, encoded from the text decoded at the tier before, as in a bank that keeps no
    text. Tiers that the codec lacks are skipped."""
    grids = [page.cells for page in pages]
    for step, tier in enumerate(tier for tier in tiers if tier in codec.tiers):
        done = _run(codec, grids, tier)
        if step:
            yield _row(_Case(codec, pages, tier, language, path="aged"), done)
        grids = [reading.cells for reading in done.readings]


def compared(pages: Sequence[Page], readings: Sequence[Reading]) -> CellComparison:
    """The characters of `pages`, headers included, up to the last one of each page, beside those of `readings`."""
    right, confidence = [], []
    for page, reading in zip(pages, readings, strict=True):
        original = page.cells.reshape(-1)
        used = np.flatnonzero(original != BLANK)
        last = int(used[-1]) + 1 if len(used) else 0
        original = np.where(original == BLANK, 0x20, original)[:last]
        read = reading.cells.reshape(-1)[:last]
        character = original != WIDE_TAIL
        right.append((np.where(read == BLANK, 0x20, read) == original)[character])
        confidence.append(reading.confidence.reshape(-1)[:last][character])
    return CellComparison(np.concatenate(right), np.concatenate(confidence))


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
    done = _Pass()
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
    characters = sum(map(len, texts))
    comparison = compared(case.pages, done.readings)
    flagging = _flagging(comparison, done.readings[0].flag_below)
    vision_tokens = sum(item.count for item in done.tokens)
    text_tokens, zstd_bytes = (sum(part) for part in zip(*map(_text_sizes, texts), strict=True))
    size = done.tokens[0].bytes_per_token
    return BenchRow(
        tier=case.tier,
        language=case.language,
        pages=len(case.pages),
        characters=characters,
        accuracy=mean_accuracy(texts, [reading.text for reading in done.readings]),
        vision_tokens=vision_tokens,
        text_tokens=text_tokens,
        compression=text_tokens / vision_tokens,
        bits_per_character=sum(len(item.to_bytes()) for item in done.tokens) * 8 / max(1, characters),
        zstd_bits_per_character=zstd_bytes * 8 / max(1, characters),
        calibration_error=calibration_error(*comparison),
        flagged_share=flagging.flagged_share,
        flagged_errors_share=flagging.flagged_errors_share,
        silent_errors_per_10k=flagging.silent_errors_per_10k,
        encode_ms=done.encode_s * 1e3 / len(case.pages),
        decode_ms=done.decode_s * 1e3 / len(case.pages),
        condition=case.condition,
        path=case.path,
        bytes_per_token=size,
        default_size=size == case.codec.tiers[case.tier].bytes_per_token,
        chars_per_4_per_token=characters / 4 / vision_tokens,
        character_accuracy=float(comparison.right.mean()),
        unread_pages=sum(reading.unread for reading in done.readings),
    )


def _flagging(comparison: CellComparison, flag_below: float) -> _Flagging:
    flagged = comparison.confidence < flag_below
    wrong = ~comparison.right
    return _Flagging(
        flagged_share=float(flagged.mean()),
        flagged_errors_share=float(flagged[wrong].mean()) if wrong.any() else 1.0,
        silent_errors_per_10k=float((wrong & ~flagged).mean()) * 1e4,
    )


@lru_cache(maxsize=2048)
def _text_sizes(text: str) -> tuple[int, int]:
    """Text tokens, and bytes as zstd -19. Cached, because a page is measured at every tier and size."""
    return count_text_tokens(text), len(zstandard.ZstdCompressor(level=19).compress(text.encode()))
