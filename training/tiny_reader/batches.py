"""Training batches."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from foxing.encoder.vision.models.deepseek import DeepSeekOcr

from .options import TrainingOptions
from .synthetic_pages import TINY_PAGE, PageGenerator, draw, page_lines
from .vocabulary import END, TOKEN_IDS, UNKNOWN, cell_indices, target_tokens

IGNORED = -100  # target without a loss


@dataclass(frozen=True)
class Batch:
    """Pages of one tier."""

    tier: str
    #: float [B, 3, side, side], normalised.
    pixels: Tensor
    #: int64[B, T], the token ids of the text and its end, then `IGNORED`.
    text: Tensor
    #: int64[B, T], the cell that holds each token, in row order; -1 for none.
    cell_indices: Tensor
    #: int64[B, rows, columns], the token id in each cell.
    cells: Tensor


class _Sample(NamedTuple):
    image: Image.Image
    #: Rows of the page.
    lines: list[str]


class BatchSampler:
    """Endless source of batches, reproducible by its seed."""

    def __init__(self, model: DeepSeekOcr, options: TrainingOptions, seed: int) -> None:
        self._model = model
        self._options = options
        self._generator = PageGenerator(seed)
        self._random = np.random.default_rng(seed)

    def draw(self) -> Batch:
        """Draws the next batch, of a random tier."""
        shares = self._options.tiers
        tier = str(self._random.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
        count = max(1, round(self._options.megapixels * 1e6 / self._model.tiers[tier] ** 2))
        samples = [self._sample(tier) for _ in range(count)]
        unknown = TOKEN_IDS[UNKNOWN]
        texts = [[TOKEN_IDS.get(token, unknown) for token in target_tokens(sample.lines)] for sample in samples]
        text = torch.full((count, max(map(len, texts)) + 1), IGNORED)
        indices = torch.full_like(text, -1)
        cells = torch.full((count, TINY_PAGE.rows, TINY_PAGE.columns), TOKEN_IDS[" "])
        for index, (ids, sample) in enumerate(zip(texts, samples, strict=True)):
            text[index, : len(ids) + 1] = torch.tensor([*ids, TOKEN_IDS[END]])
            indices[index, : len(ids)] = torch.tensor(cell_indices(ids), dtype=torch.int64)
            for row, line in enumerate(sample.lines):
                cells[index, row, : len(line)] = torch.tensor([TOKEN_IDS.get(c, unknown) for c in line])
        return Batch(tier, self._model.pixels([sample.image for sample in samples]), text, indices, cells)

    def _sample(self, tier: str) -> _Sample:
        options, random = self._options, self._random.random
        if random() < options.unreadable_share:
            if random() < 0.5:
                return _Sample(self._noise(tier), [])
            page = self._generator.foreign_page()
        else:
            page = self._generator.page(0.2 if random() < options.random_strings_share else 0.0)
        image = draw(page, tier)
        if random() < options.augmented_share:
            image = self._augmented(image)
        return _Sample(image, page_lines(page.cells))

    def _noise(self, tier: str) -> Image.Image:
        side = self._model.tiers[tier]
        grain_px = int(self._random.choice([1, 2, 4, 8, 16, 32]))
        values = self._random.integers(0, 256, (side // grain_px, side // grain_px), dtype=np.uint8)
        return Image.fromarray(values.repeat(grain_px, axis=0).repeat(grain_px, axis=1))

    def _augmented(self, image: Image.Image) -> Image.Image:
        """`image` shifted by up to 2 px and noised."""
        down, right = self._random.integers(-2, 3, 2)
        values = np.roll(np.asarray(image), (down, right), axis=(0, 1)).astype(np.float32)
        values += self._random.normal(0, self._random.uniform(0, 12), values.shape)
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))
