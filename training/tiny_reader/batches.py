"""What the tiny reader is trained on, and for how long: batches of pages of one tier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from foxing.encoder.vision.deepseek import DeepSeekOcr

from .network import MARKS, PLACES, SPECIAL, UNKNOWN, VOCABULARY
from .pages import RUN_CELLS, TINY_PAGE, Scribe, draw, page_lines, written

IGNORED = -100  # the target of what is no text


@dataclass(frozen=True)
class ReaderOptions:
    """First the encoder learns alone, from what its vision tokens tell of the cells that they show; then the decoder
    learns as well, and reads most of the pages several times, since looking at them costs more; at last all pages are
    new. `encoder_until` and `decoder_until`: shares of the time."""

    minutes: float = 60.0
    encoder_until: float = 0.2
    decoder_until: float = 0.85
    muon_rate: float = 5e-3
    adam_rate: float = 2e-3
    warmup_steps: int = 30  # of each part
    together_rate: float = 0.3  # share of the rates with which the last part begins
    weight_decay: float = 0.01
    megapixels: float = 2.2  # of the images of a step
    looked_at: int = 150  # batches that are kept to be read again
    look_share: float = 0.3  # of the steps of the second part that look at new pages
    strange_share: float = 0.04  # of the pages: noise, or words of unknown characters
    strings_share: float = 0.15  # of the pages: a fifth of their words without meaning
    altered_share: float = 0.25  # of the images: shifted and noised a little
    evaluate_every_s: float = 420.0
    held_out_pages: int = 8
    seed: int = 1
    tiers: Mapping[str, float] = field(
        default_factory=lambda: {"tiny": 0.27, "small": 0.33, "base": 0.22, "large": 0.18}
    )

    def part(self, progress: float) -> tuple[str, float]:
        """Which part of the training it is at `progress` (0…1), and how far that has come."""
        edges = {"encoder": (0.0, self.encoder_until), "decoder": (self.encoder_until, self.decoder_until)}
        for name, (start, stop) in edges.items():
            if progress < stop:
                return name, (progress - start) / (stop - start)
        return "together", (progress - self.decoder_until) / (1 - self.decoder_until)

    def rate(self, part: str, done: float) -> float:
        """Share of the rates at which `part` is trained when so much of it is done."""
        if part == "together":
            return self.together_rate * (1 - done) + 0.01
        return 1.0 if part == "encoder" else min(1.0, 2 * (1 - done) + self.together_rate)


@dataclass(frozen=True)
class Batch:
    """Pages of one tier. `pixels`: float [B, 3, side, side]; `text`: int64[B, T], what is written, the end included,
    `IGNORED` after it; `places`: int64[B, T], in which cell of the page each character stands, -1 for what is none;
    `cells`: int64[B, rows, columns], what stands where."""

    tier: str
    pixels: Tensor
    text: Tensor
    places: Tensor
    cells: Tensor


def _places(ids: Sequence[int]) -> list[int]:
    """In which cell of the page each token stands, -1 for what is no character. Marks are in the order of the cells."""
    first, stop, row_end = VOCABULARY.index(PLACES[0]), VOCABULARY.index(MARKS[0]), VOCABULARY.index("\n")
    places, cell = [], -1
    for token in ids:
        if first <= token < stop:
            cell = (token - first) * RUN_CELLS
            places.append(-1)
        elif token == row_end:
            places.append(-1)
        else:
            places.append(cell)
            cell += 1
    return places


class Batches:
    """Draws batches without end."""

    def __init__(self, model: DeepSeekOcr, options: ReaderOptions, seed: int) -> None:
        self._model = model
        self._options = options
        self._scribe = Scribe(seed)
        self._numbers = np.random.default_rng(seed)
        self._ids = {token: number for number, token in enumerate(VOCABULARY)}

    def draw(self) -> Batch:
        shares = self._options.tiers
        tier = str(self._numbers.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
        count = max(1, round(self._options.megapixels * 1e6 / self._model.tiers[tier] ** 2))
        drawn = [self._page(tier) for _ in range(count)]
        unknown, blank = self._ids[UNKNOWN], self._ids[" "]
        texts = [[self._ids.get(token, unknown) for token in written(lines)] for _, lines in drawn]
        text = torch.full((count, max(map(len, texts)) + 1), IGNORED)
        places = torch.full_like(text, -1)
        cells = torch.full((count, TINY_PAGE.rows, TINY_PAGE.columns), blank)
        for index, (ids, (_, lines)) in enumerate(zip(texts, drawn, strict=True)):
            text[index, : len(ids) + 1] = torch.tensor([*ids, self._ids[SPECIAL[1]]])
            places[index, : len(ids)] = torch.tensor(_places(ids), dtype=torch.int64)
            for row, line in enumerate(lines):
                cells[index, row, : len(line)] = torch.tensor([self._ids.get(c, unknown) for c in line])
        return Batch(tier, self._model.pixels([image for image, _ in drawn]), text, places, cells)

    def _page(self, tier: str) -> tuple[Image.Image, list[str]]:
        """An image and the rows that stand on it."""
        options, chance = self._options, self._numbers.random
        if chance() < options.strange_share:
            if chance() < 0.5:
                return self._noise(tier), []
            page = self._scribe.foreign_page()
        else:
            page = self._scribe.page(0.2 if chance() < options.strings_share else 0.0)
        image = draw(page, tier)
        if chance() < options.altered_share:
            image = self._altered(image)
        return image, page_lines(page.cells)

    def _noise(self, tier: str) -> Image.Image:
        side = self._model.tiers[tier]
        grain = int(self._numbers.choice([1, 2, 4, 8, 16, 32]))
        values = self._numbers.integers(0, 256, (side // grain, side // grain), dtype=np.uint8)
        return Image.fromarray(values.repeat(grain, axis=0).repeat(grain, axis=1))

    def _altered(self, image: Image.Image) -> Image.Image:
        down, across = self._numbers.integers(-2, 3, 2)
        values = np.roll(np.asarray(image), (down, across), axis=(0, 1)).astype(np.float32)
        values += self._numbers.normal(0, self._numbers.uniform(0, 12), values.shape)
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))
