"""How fast a codec is: loading, drawing pages, encoding and decoding."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

from foxing.encoder.contract import Codec
from foxing.encoder.options import CodecOptions
from foxing.encoder.registry import CODECS
from foxing.renderer import Page, render

from .measurement import BATCH_PAGES

REPEATS = 3  # the median counts


@dataclass(frozen=True)
class TierSpeed:
    """Of one dense page in batches of `BATCH_PAGES`, after a first batch that does not count."""

    tier: str
    rendered_pages_per_s: float
    encode_ms: float
    decode_ms: float


@dataclass(frozen=True)
class CodecSpeed:
    """`load_ms`: weights from disk to the device, the libraries being imported already; 0 for a codec that was not
    loaded by its name, or that runs another's model."""

    load_ms: float
    tiers: tuple[TierSpeed, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure_speed(codec: Codec, pages: Sequence[Page], tiers: Sequence[str], device: str = "auto") -> CodecSpeed:
    """Times the codec on `pages`, repeated to a full batch where they are fewer. Raises `CodecError`."""
    entry = CODECS.get(codec.name)
    ours = entry is not None and entry.shipped  # a second model of others may not fit beside the first
    load_ms = _timed(lambda: CODECS[codec.name].load(device, CodecOptions())) * 1e3 if ours else 0.0
    batch = [pages[number % len(pages)] for number in range(BATCH_PAGES)]
    return CodecSpeed(load_ms, tuple(_tier_speed(codec, batch, tier) for tier in tiers))


def _tier_speed(codec: Codec, batch: Sequence[Page], tier: str) -> TierSpeed:
    images = [render(page.cells, page.layout, tier) for page in batch]
    tokens = codec.encode(images, tier)
    codec.decode(tokens)
    drawn = _timed(lambda: [render(page.cells, page.layout, tier) for page in batch])
    encoded = _timed(lambda: codec.encode(images, tier))
    decoded = _timed(lambda: codec.decode(tokens))
    return TierSpeed(tier, len(batch) / drawn, encoded * 1e3 / len(batch), decoded * 1e3 / len(batch))


def _timed(work: Callable[[], object]) -> float:
    """Seconds, the median of `REPEATS`."""
    times = []
    for _ in range(REPEATS):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return median(times)
