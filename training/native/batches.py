"""Training batches: images of strips, some of them degraded, drawn ahead in a separate process."""

import multiprocessing
import random
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from queue import Empty, Full
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from foxing.encoder.contract import UNREADABLE
from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.network.features import Targets
from foxing.renderer import DENSE_PAGE, render
from foxing.renderer.page import BLANK, Cells

from .negatives import inked_cells, negative_image
from .objective import targets
from .options import TrainingOptions
from .texts.strips import StripSource, strip_rows, with_unreadable_cells

AHEAD = 6  # batches drawn in advance
UNREADABLE_SHARE = 0.02  # of the strips
STALLED_S = 120  # wait for a batch before checking that the drawing process is alive
#: Share of the degraded images that are shifted. One pixel is a quarter of a cell at `small`, half of one at `micro`.
SHIFTED = {"large": 0.6, "base": 0.6, "small": 0.7, "tiny": 0.5, "micro": 0.15}


class DrawnBatch(NamedTuple):
    """Strips of one tier, as drawn."""

    tier: str
    #: Mode "L", all of one size.
    images: list[Image.Image]
    #: uint32 [rows, 160] each: the cells that the images show.
    strips: list[Cells]


class Batch(NamedTuple):
    """Input and targets of one training step."""

    tier: str
    #: float32 [B, 1, H, W]: ink 1, paper 0.
    pixels: Tensor
    target: Targets


def degrade(image: Image.Image, tier: str, generator: random.Random) -> Image.Image:
    """Returns the page as a scanner might produce it: shifted, blurred, noisy, faded or compressed."""
    if generator.random() < SHIFTED.get(tier, 0.5):
        dx, dy = generator.choice([-1.0, 0.0, 1.0]), generator.choice([-1.0, 0.0, 1.0])
        if generator.random() < 0.3:
            dx, dy = dx * generator.random(), dy * generator.random()
        image = image.transform(
            image.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy), Image.Resampling.BILINEAR, fillcolor=255
        )
    if generator.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(generator.uniform(0.1, 0.7)))
    if generator.random() < 0.4:
        pixels = np.asarray(image, dtype=np.float32)
        noise = np.random.default_rng(generator.getrandbits(32)).standard_normal(pixels.shape, dtype=np.float32)
        noisy = pixels * generator.uniform(0.85, 1.0) + generator.uniform(2, 12) * noise
        image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if generator.random() < 0.15:
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=generator.randint(70, 95))
        image = Image.open(buffer).convert("L")
    return image


def draw_batch(source: StripSource, options: TrainingOptions, generator: random.Random) -> DrawnBatch:
    """Draws the next batch of one tier."""
    tier = generator.choices(*zip(*options.tier_shares.items(), strict=True))[0]
    rows = strip_rows(tier)
    strips: list[Cells] = []
    images: list[Image.Image] = []
    for _ in range(options.strips):
        strip = source.strip(rows)
        if generator.random() < UNREADABLE_SHARE:
            strip = with_unreadable_cells(strip, generator)
        image = render(strip, DENSE_PAGE, tier)
        chance = generator.random()
        if chance < options.negative_share:
            image = negative_image(image, source.prose, generator)
            strip = np.where(inked_cells(image, *strip.shape), np.uint32(UNREADABLE), np.uint32(BLANK))
        elif chance < options.negative_share + options.augmented_share:
            image = degrade(image, tier, generator)
        strips.append(strip)
        images.append(image)
    return DrawnBatch(tier, images, strips)


def to_batch(tier: str, images: Sequence[Any], strips: Sequence[Cells], charset: Charset) -> Batch:
    """Returns strips as training tensors. `images`: uint8 [H, W] each, paper 255."""
    pixels = 1 - torch.from_numpy(np.stack([np.asarray(image) for image in images])).unsqueeze(1).float() / 255
    return Batch(tier, pixels, targets(strips, charset))


class Batches:
    """Endless batches, drawn ahead in a separate process, because drawing is pure Python and would slow down
    training."""

    def __init__(self, folder: Path, charset: Charset, options: TrainingOptions, seed: int) -> None:
        self._charset = charset
        context = multiprocessing.get_context("spawn")
        self._queue: Any = context.Queue(maxsize=AHEAD)
        arguments = (self._queue, folder, charset, options, seed)
        self._process = context.Process(target=_draw_forever, args=arguments, daemon=True)
        self._process.start()

    def __iter__(self) -> Iterator[Batch]:
        """Yields the batches; call `wait` first. Raises `CodecError` if the drawing process dies."""
        while True:
            tier, images, strips = self._next()
            yield to_batch(tier, images, strips, self._charset)

    def wait(self) -> None:
        """Waits until the texts are typeset. Raises `CodecError` if there are none."""
        first = self._next()
        if isinstance(first, CodecError):
            raise first

    def _next(self) -> Any:
        while True:
            try:
                return self._queue.get(timeout=STALLED_S)
            except Empty:
                if not self._process.is_alive():
                    raise CodecError("the process that draws batches has died; see its error above") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._process.close()
        self._queue.close()


def _draw_forever(queue: Any, folder: Path, charset: Charset, options: TrainingOptions, seed: int) -> None:
    """Puts None and then batches with stacked images into `queue`, or a `CodecError`, until the parent process ends."""
    torch.set_num_threads(1)
    try:
        source = StripSource(folder, charset, options)
    except CodecError as error:
        queue.put(error)
        return
    queue.put(None)  # ready
    generator = random.Random(seed)
    while True:
        tier, images, strips = draw_batch(source, options, generator)
        batch = tier, [np.asarray(image) for image in images], strips
        while True:
            try:
                queue.put(batch, timeout=5)
                break
            except Full:
                parent = multiprocessing.parent_process()
                if parent is None or not parent.is_alive():  # the parent was killed
                    queue.cancel_join_thread()
                    return
