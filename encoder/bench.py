"""Measuring a codec: accuracy, size, calibration and speed on pages of text it was never trained on.

Accuracy is 1 − Levenshtein distance / longer length over whole pages, keepsakes not spliced in. A native vision token
is a unit of storage and of recall; it saves an LLM context only where the LLM looks at page images.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from PIL import Image, ImageFilter
from rapidfuzz.distance import Levenshtein

from foxing.renderer import BLANK, WIDE_TAIL, Page, Repertoire, Typesetter, render

from .contract import Codec, Reading
from .native.texts import dense_pages, read_messages
from .text_tokens import count_text_tokens
from .tokens import VisionTokens

BATCH_PAGES = 8
CALIBRATION_BINS = 15
#: Pages at the beginning of each file that training looked at, to keep the best weights and to calibrate.
DEVELOPMENT_PAGES = 3


@dataclass(frozen=True)
class BenchRow:
    """What was measured for one tier, one language and one condition of the image. Shares are 0…1."""

    tier: str
    language: str
    condition: str
    pages: int
    characters: int
    accuracy: float
    vision_tokens: int
    bytes_per_token: int
    text_tokens: int
    compression: float
    chars_per_4_per_token: float
    bits_per_character: float
    zstd_bits_per_character: float
    calibration_error: float
    flagged_share: float
    flagged_errors_share: float
    silent_errors_per_10k: float
    encode_ms: float
    decode_ms: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def shifted(image: Image.Image) -> Image.Image:
    """One pixel to the right and down."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, -1, 0, 1, -1), fillcolor=255)


def blurred(image: Image.Image) -> Image.Image:
    """Gaussian, σ 0.5 px."""
    return image.filter(ImageFilter.GaussianBlur(0.5))


def noisy(image: Image.Image) -> Image.Image:
    """Gaussian noise, σ 8/255; the same on every run."""
    noise = np.random.default_rng(7).normal(0, 8, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


def compressed(image: Image.Image) -> Image.Image:
    """JPEG, quality 80."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return Image.open(buffer).convert("L")


CONDITIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "shift 1 px": shifted,
    "blur 0.5 px": blurred,
    "noise 8/255": noisy,
    "JPEG 80": compressed,
}


def accuracy(original: str, read: str) -> float:
    """1 − Levenshtein distance / longer length; 1 for two empty texts."""
    longer = max(len(original), len(read))
    return 1 - Levenshtein.distance(original, read) / longer if longer else 1.0


def load_pages(
    files: Sequence[Path], codec: Codec, *, skip: int = DEVELOPMENT_PAGES, limit: int | None = None
) -> dict[str, list[Page]]:
    """Dense pages of JSON Lines of messages by language, `skip` pages left out at the beginning of each file."""
    setter = Typesetter(codec.layout, Repertoire(codec.repertoire))
    result: dict[str, list[Page]] = {}
    for file in files:
        documents = list(read_messages(file))
        language = str(documents[0].get("lang", "unknown")) if documents else "unknown"
        pages = dense_pages(documents, setter, None if limit is None else skip + limit)
        result.setdefault(language, []).extend(pages[skip:])
    return result


def pages_of(documents: Sequence[dict[str, Any]], codec: Codec, limit: int | None = None) -> list[Page]:
    """Dense pages of documents `{"id", "messages": [{"role", "content", …}]}`."""
    return dense_pages(documents, Typesetter(codec.layout, Repertoire(codec.repertoire)), limit)


def measure(codec: Codec, pages: Sequence[Page], tier: str, language: str, condition: str = "clean") -> BenchRow:
    """Encodes and decodes `pages` at `tier` in batches and compares. Raises `CodecError`."""
    alter = CONDITIONS.get(condition)
    texts = [page.text for page in pages]
    tokens: list[VisionTokens] = []
    readings: list[Reading] = []
    encode_s = decode_s = 0.0
    for start in range(0, len(pages), BATCH_PAGES):
        part = pages[start : start + BATCH_PAGES]
        images = [render(page.cells, page.layout, tier) for page in part]
        if alter is not None:
            images = [alter(image) for image in images]
        begun = time.perf_counter()
        coded = codec.encode(images, tier)
        between = time.perf_counter()
        readings += codec.decode(coded)
        decode_s += time.perf_counter() - between
        encode_s += between - begun
        tokens += coded
    characters = sum(map(len, texts))
    scores = [accuracy(text, reading.text) * len(text) for text, reading in zip(texts, readings, strict=True)]
    right, sure = compared(pages, readings)
    flagged = sure < codec.tiers[tier].flag_below
    wrong = ~right
    vision_tokens = sum(item.count for item in tokens)
    text_tokens = sum(map(count_text_tokens, texts))
    zstd = sum(len(zstandard.ZstdCompressor(level=19).compress(text.encode())) for text in texts)
    return BenchRow(
        tier=tier,
        language=language,
        condition=condition,
        pages=len(pages),
        characters=characters,
        accuracy=sum(scores) / max(1, characters),
        vision_tokens=vision_tokens,
        bytes_per_token=codec.tiers[tier].bytes_per_token,
        text_tokens=text_tokens,
        compression=text_tokens / vision_tokens,
        chars_per_4_per_token=characters / 4 / vision_tokens,
        bits_per_character=sum(len(item.to_bytes()) for item in tokens) * 8 / max(1, characters),
        zstd_bits_per_character=zstd * 8 / max(1, characters),
        calibration_error=calibration_error(right, sure),
        flagged_share=float(flagged.mean()),
        flagged_errors_share=float(flagged[wrong].mean()) if wrong.any() else 1.0,
        silent_errors_per_10k=float((wrong & ~flagged).mean()) * 1e4,
        encode_ms=encode_s * 1e3 / len(pages),
        decode_ms=decode_s * 1e3 / len(pages),
    )


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


def bench(
    codec: Codec, pages: dict[str, list[Page]], tiers: Sequence[str], conditions: Sequence[str] = ()
) -> Iterator[BenchRow]:
    """A row for each tier and language, then for each condition at the tier `small`."""
    for language, part in pages.items():
        for tier in tiers:
            yield measure(codec, part, tier, language)
        for condition in conditions:
            yield measure(codec, part, "small", language, condition)
