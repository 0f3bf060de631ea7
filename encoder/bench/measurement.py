"""Pages through a codec and back, compared with what stood on them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter
from typing import Any, Literal

import numpy as np
import zstandard
from PIL import Image
from rapidfuzz.distance import Levenshtein

from foxing.encoder.capabilities import ResizableCodec
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
CONDITIONS_TIER = "small"  # where pages that are shifted, blurred, noisy or JPEGs are read
#: The way of a page that fades step by step, as the default policy has it.
AGEING_TIERS = ("base", "small", "tiny", "micro")


@dataclass
class _Pass:
    """What came of encoding and decoding pages at one tier."""

    tokens: list[VisionTokens] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    encode_s: float = 0.0
    decode_s: float = 0.0


def accuracy(original: str, read: str) -> float:
    """1 − Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(original), len(read))
    return 1 - Levenshtein.distance(original, read) / longer if longer else 1.0


def measure(codec: Codec, pages: Sequence[Page], tier: str, language: str, condition: str = CLEAN) -> BenchRow:
    """Encodes and decodes `pages` at `tier` in batches and compares. Raises `CodecError`."""
    return _row(codec, pages, _run(codec, [page.cells for page in pages], tier, condition), tier, language, condition)


def measure_sizes(codec: Codec, pages: Sequence[Page], tier: str, language: str) -> Iterator[BenchRow]:
    """A row for each size of a token that the codec offers for `tier` beside its default one, which `measure` has."""
    for size in offered_sizes(codec, tier)[1:]:
        done = _run(with_size(codec, tier, size), [page.cells for page in pages], tier)
        yield _row(codec, pages, done, tier, language)


def offered_sizes(codec: Codec, tier: str) -> tuple[int, ...]:
    """Bytes a token that the codec can write at `tier`, the default first; the one size of a codec with no choice."""
    default = codec.tiers[tier].bytes_per_token
    sizes = codec.sizes.get(tier, ()) if isinstance(codec, ResizableCodec) else ()
    return (default, *sorted(set(sizes) - {default}))


def with_size(codec: Codec, tier: str, size: int) -> Codec:
    """The codec as it writes tokens of `size` bytes at `tier`. Raises `CodecError` for a size it does not offer."""
    if size == codec.tiers[tier].bytes_per_token:
        return codec
    if not isinstance(codec, ResizableCodec):
        raise CodecError(f"tokens of the codec '{codec.name}' have one size at '{tier}', not {size} bytes")
    return codec.sized({tier: size})


def aged(codec: Codec, pages: Sequence[Page], language: str, tiers: Sequence[str] = AGEING_TIERS) -> Iterator[BenchRow]:
    """A row for every tier but the first, each encoded from the text that was decoded at the tier before, as a bank
    ages that keeps no text. Tiers that the codec lacks are skipped."""
    grids = [page.cells for page in pages]
    for step, tier in enumerate(tier for tier in tiers if tier in codec.tiers):
        done = _run(codec, grids, tier)
        if step:
            yield _row(codec, pages, done, tier, language, path="aged")
        grids = [reading.cells for reading in done.readings]


def compared(pages: Sequence[Page], readings: Sequence[Reading]) -> tuple[Any, Any]:
    """For every character of the pages: bool, whether its cell was read right, and float32, how sure the codec was."""
    right, sure = [], []
    for page, reading in zip(pages, readings, strict=True):
        original = page.cells.reshape(-1)
        used = np.flatnonzero(original != BLANK)
        last = int(used[-1]) + 1 if len(used) else 0
        original = np.where(original == BLANK, 0x20, original)[:last]
        read = reading.cells.reshape(-1)[:last]
        character = original != WIDE_TAIL
        right.append((np.where(read == BLANK, 0x20, read) == original)[character])
        sure.append(reading.confidence.reshape(-1)[:last][character])
    return np.concatenate(right), np.concatenate(sure)


def calibration_error(right: Any, sure: Any) -> float:
    """Expected calibration error over `CALIBRATION_BINS` equal bins of confidence."""
    bins = np.minimum((sure * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error = 0.0
    for number in range(CALIBRATION_BINS):
        inside = bins == number
        if inside.any():
            error += float(inside.mean()) * abs(float(right[inside].mean()) - float(sure[inside].mean()))
    return error


def _run(codec: Codec, grids: Sequence[Cells], tier: str, condition: str = CLEAN) -> _Pass:
    done = _Pass()
    for start in range(0, len(grids), BATCH_PAGES):
        images: list[Image.Image] = [render(cells, codec.layout, tier) for cells in grids[start : start + BATCH_PAGES]]
        if condition != CLEAN:
            images = [CONDITIONS[condition](image) for image in images]
        begun = perf_counter()
        tokens = codec.encode(images, tier)
        between = perf_counter()
        done.readings += codec.decode(tokens)
        done.decode_s += perf_counter() - between
        done.encode_s += between - begun
        done.tokens += tokens
    return done


def _row(
    codec: Codec,
    pages: Sequence[Page],
    done: _Pass,
    tier: str,
    language: str,
    condition: str = CLEAN,
    path: Literal["direct", "aged"] = "direct",
) -> BenchRow:
    texts = [page.text for page in pages]
    characters = sum(map(len, texts))
    scores = [accuracy(text, reading.text) * len(text) for text, reading in zip(texts, done.readings, strict=True)]
    right, sure = compared(pages, done.readings)
    flagged = sure < done.readings[0].flag_below
    wrong = ~right
    vision_tokens = sum(item.count for item in done.tokens)
    text_tokens, zstd_bytes = (sum(part) for part in zip(*map(_text_sizes, texts), strict=True))
    size = done.tokens[0].bytes_per_token
    return BenchRow(
        tier=tier,
        language=language,
        pages=len(pages),
        characters=characters,
        accuracy=sum(scores) / max(1, characters),
        vision_tokens=vision_tokens,
        text_tokens=text_tokens,
        compression=text_tokens / vision_tokens,
        bits_per_character=sum(len(item.to_bytes()) for item in done.tokens) * 8 / max(1, characters),
        zstd_bits_per_character=zstd_bytes * 8 / max(1, characters),
        calibration_error=calibration_error(right, sure),
        flagged_share=float(flagged.mean()),
        flagged_errors_share=float(flagged[wrong].mean()) if wrong.any() else 1.0,
        silent_errors_per_10k=float((wrong & ~flagged).mean()) * 1e4,
        encode_ms=done.encode_s * 1e3 / len(pages),
        decode_ms=done.decode_s * 1e3 / len(pages),
        condition=condition,
        path=path,
        bytes_per_token=size,
        default_size=size == codec.tiers[tier].bytes_per_token,
        chars_per_4_per_token=characters / 4 / vision_tokens,
        character_accuracy=float(right.mean()),
        unread_pages=sum(reading.unread for reading in done.readings),
    )


@lru_cache(maxsize=2048)
def _text_sizes(text: str) -> tuple[int, int]:
    """Text tokens, and bytes as zstd -19; kept, because a page is measured at every tier and size."""
    return count_text_tokens(text), len(zstandard.ZstdCompressor(level=19).compress(text.encode()))
