"""Codec speed: loading, rendering, encoding and decoding."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

from foxing.encoder.contract import Codec
from foxing.encoder.plugin import CODECS
from foxing.renderer import Page, render

from .corpus import PageSet, first_pages
from .drawing import BATCH_PAGES, TierDrawer

REPEATS = 3  # runs, of which the median is reported


@dataclass(frozen=True)
class TierSpeed:
    """Speed at one tier, in batches of `BATCH_PAGES`, after a warm-up batch."""

    tier: str
    rendered_pages_per_s: float
    #: Milliseconds per page.
    encode_ms: float
    #: Milliseconds per page.
    decode_ms: float


@dataclass(frozen=True)
class CodecSpeed:
    """Result of `measure_speed`."""

    #: Milliseconds to load the weights from disk to the device, with libraries already imported. 0 for a codec that is
    #: not registered or whose weights are not bundled.
    load_ms: float
    tiers: tuple[TierSpeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a JSON object."""
        return asdict(self)


def measure_speed(codec: Codec, texts: PageSet, tiers: Sequence[str], device: str = "auto") -> CodecSpeed:
    """Times the codec on pages as drawn at each of `tiers`, repeated or truncated to one full batch. `texts`: the
    pages; `device`: device on which loading is timed. Raises `CodecError`."""
    plugin = CODECS.get(codec.name).value if codec.name in CODECS else None
    load_ms = 0.0
    if plugin is not None and plugin.bundled:  # a second copy of a large model may not fit into memory
        load_ms = _timed(lambda: plugin.load(device, plugin.parse(None))) * 1e3
    texts = first_pages(texts, BATCH_PAGES)
    drawn = {tier: TierDrawer(codec, texts).draw(tier).pages for tier in tiers}
    return CodecSpeed(load_ms, tuple(_tier_speed(codec, pages, tier) for tier, pages in drawn.items()))


def _tier_speed(codec: Codec, pages: Sequence[Page], tier: str) -> TierSpeed:
    batch = [pages[index % len(pages)] for index in range(BATCH_PAGES)]
    images = [render(page.cells, page.layout, tier) for page in batch]
    tokens = codec.encode(images, tier)
    codec.decode(tokens)
    render_s = _timed(lambda: [render(page.cells, page.layout, tier) for page in batch])
    encode_s = _timed(lambda: codec.encode(images, tier))
    decode_s = _timed(lambda: codec.decode(tokens))
    return TierSpeed(tier, len(batch) / render_s, encode_s * 1e3 / len(batch), decode_s * 1e3 / len(batch))


def _timed(work: Callable[[], object]) -> float:
    """Returns the median duration of `REPEATS` runs of `work` in seconds."""
    times = []
    for _ in range(REPEATS):
        begun = perf_counter()
        work()
        times.append(perf_counter() - begun)
    return median(times)
