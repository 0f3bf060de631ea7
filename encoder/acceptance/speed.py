"""Speed by batch size, peak memory, and utilisation of the device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.conformance import sample_page
from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.renderer import Progress, render

SHIFT_PX = 40  # between the pages of a batch, which are otherwise equal
PEAK_SIZE = {"cuda": 8192, "cpu": 1024}  # rows of the square matrices whose product measures peak FLOPS
PEAK_REPEATS = 5


@dataclass(frozen=True)
class BatchSpeed:
    """Speed at one tier and batch size."""

    tier: str
    #: Pages per call.
    pages: int
    #: Pages encoded per second.
    encode: float
    #: Pages decoded per second.
    decode: float
    #: Characters read per second.
    characters: float
    #: Share of the device's peak FLOPS, measured by the product of two large matrices; None if not counted.
    encode_share: float | None
    decode_share: float | None
    #: Peak device memory in bytes; None on a CPU.
    memory: int | None
    #: Error message if the measurement failed.
    failure: str | None = None


def measure_batches(codec: Codec, tiers: Sequence[str], sizes: Sequence[int], progress: Progress) -> list[BatchSpeed]:
    """Measures every batch size at each of `tiers`; after a failure, such as lack of memory, larger sizes at that tier
    are skipped. `progress`: called with the measurements done and the total."""
    results: list[BatchSpeed] = []
    peak = _peak_flops(codec)
    for number, tier in enumerate(tiers):
        images = _images(codec, tier, max(sizes))
        codec.encode(images[:1], tier)  # warm-up: one-time work for a tier is not timed
        for step, size in enumerate(sizes):
            try:
                results.append(_measure(codec, tier, images[:size], peak))
            except CodecError as error:
                results.append(BatchSpeed(tier, size, 0.0, 0.0, 0.0, None, None, None, str(error)))
                break
            progress(number * len(sizes) + step + 1, len(tiers) * len(sizes))
    return results


def _measure(codec: Codec, tier: str, images: list[Image.Image], peak: float | None) -> BatchSpeed:
    with _memory() as memory:
        begun = perf_counter()
        tokens = codec.encode(images, tier)
        encoded = perf_counter()
        readings = codec.decode(tokens)
        decoded = perf_counter()
    written = sum(int((reading.cells > 0x20).sum()) for reading in readings)
    encode_s, decode_s = encoded - begun, decoded - encoded
    return BatchSpeed(
        tier=tier,
        pages=len(images),
        encode=len(images) / encode_s,
        decode=len(images) / decode_s,
        characters=written / decode_s,
        encode_share=_share(lambda: codec.encode(images, tier), encode_s, peak),
        decode_share=None if _served(codec) else _share(lambda: codec.decode(tokens), decode_s, peak),
        memory=memory[0] if memory else None,
    )


def _share(work: Callable[[], object], seconds: float, peak: float | None) -> float | None:
    """Returns the FLOPS of `work`, which took `seconds`, as a share of `peak`. Runs `work` again to count them."""
    if peak is None:
        return None
    with FlopCounterMode(display=False) as counter:
        work()
    flops = counter.get_total_flops()
    return flops / seconds / peak if flops else None


def _served(codec: Codec) -> bool:
    return capabilities_of(codec).remote is not None


def _peak_flops(codec: Codec) -> float | None:
    """Returns the FLOPS of a product of two large matrices in the codec's precision on its device; None for a codec
    that does not describe its runtime."""
    describable = capabilities_of(codec).describable
    runs_on = {} if describable is None else describable.runs_on()
    device = runs_on.get("device", "").split(" ")[0]
    dtype = getattr(torch, runs_on.get("computes in", ""), None)
    if not device or not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        return None
    size = PEAK_SIZE["cuda" if device.startswith("cuda") else "cpu"]
    left, right = (torch.randn(size, size, device=device, dtype=torch.float32).to(dtype) for _ in range(2))
    times = []
    for _ in range(PEAK_REPEATS):
        _synchronise()
        begun = perf_counter()
        left @ right
        _synchronise()
        times.append(perf_counter() - begun)
    return float(2 * size**3 / min(times))


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def _memory() -> Iterator[list[int]]:
    """Yields a list that receives the peak GPU memory in bytes on exit; it stays empty without a GPU."""
    peak: list[int] = []
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    yield peak
    if torch.cuda.is_available():
        peak.append(torch.cuda.max_memory_allocated())


def _images(codec: Codec, tier: str, count: int) -> list[Image.Image]:
    page = sample_page(codec)
    array = np.asarray(render(page.cells, page.layout, tier))
    return [Image.fromarray(np.roll(array, SHIFT_PX * number, axis=1)) for number in range(count)]
