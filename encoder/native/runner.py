"""Inference of the native codec's network on batches of page images."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.renderer import DENSE_PAGE
from foxing.renderer.page import BLANK, Cells
from foxing.renderer.tiers import TOKEN_SIDE_PX

from .charset import Charset
from .confidence_scaling import ConfidenceScaling
from .decoder import PageStreams
from .entropy.alphabet import COLUMNS, SymbolGrid, Symbols
from .model import NativeModel
from .network.classify import classify_cells
from .network.patches import extract_patches
from .parallel import map_parallel

#: Rows of cells without a pixel darker than this are blank.
INK_BELOW = 250
_Result = TypeVar("_Result")


def fast_dtype(device: torch.device) -> torch.dtype:
    """Returns bfloat16 if the device supports it natively, else float32."""
    if device.type == "cpu" and not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return torch.float32
    return torch.bfloat16


def _rows_used(pixels: Tensor, rows: int, token_rows: int) -> list[int]:
    """Returns the number of rows of each page before those at its end without ink; all, if they fill half of
    the last tokens in use or if there are no others, or if rows do not begin at whole pixels. `pixels`:
    uint8 [B, 1, H, W]; `token_rows`: rows of a vision token."""
    if pixels.shape[2] % rows or rows == token_rows:
        return [rows] * len(pixels)
    darkest = pixels.reshape(len(pixels), rows, -1).amin(dim=2).numpy() < INK_BELOW
    stops = [int(np.flatnonzero(page)[-1]) + 1 if page.any() else rows for page in darkest]
    return [stop if stop > token_rows and 0 < stop % token_rows < token_rows // 2 else rows for stop in stops]


def _without_blank_rows(pixels: Tensor, used: Sequence[int], rows: int) -> Tensor:
    """Returns the pages with their rows again in place of the blank ones at the end: where few rows of the last tokens
    are used, the network takes a page with many gaps for an image that is none."""
    if all(stop == rows for stop in used):
        return pixels
    height = pixels.shape[2] // rows
    repeated = pixels.clone()
    for page, stop in enumerate(used):
        source = torch.arange(rows - stop) % stop
        places = (source[:, None] * height + torch.arange(height)).reshape(-1)
        repeated[page, :, stop * height :] = pixels[page, :, places]
    return repeated


def to_pixels(images: Sequence[Image]) -> Tensor:
    """Stacks images of mode "L" and equal size to uint8 [B, 1, H, W], paper 255."""
    return torch.from_numpy(np.stack([np.asarray(image, dtype=np.uint8) for image in images])).unsqueeze(1)


@dataclass(frozen=True)
class RecognizedPages:
    """Recognition result of the encoder, [B, rows, 160] each."""

    #: int64: symbol of each cell, as in `entropy.alphabet`.
    symbols: Symbols
    #: int64: index into the rare narrow characters; 0 elsewhere.
    rare: Symbols
    #: uint32: cells that `symbols` and `rare` encode.
    cells: Cells
    #: float32 in [0, 1]: probability that the cell is right.
    confidence: npt.NDArray[np.float32]


class NetworkRunner:
    """Inference with a `NativeModel` on pages of equal size. On a CPU, each page runs in its own thread.
    Thread-safe."""

    def __init__(self, model: NativeModel, charset: Charset, streams: PageStreams) -> None:
        """`streams`: writes the pages of this charset."""
        self.model = model
        self.charset = charset
        self.streams = streams
        self._confusables = charset.confusables
        self._encoder = model.encoder
        if fast_dtype(self.device) != next(model.encoder.parameters()).dtype:
            self._encoder = deepcopy(model.encoder).to(fast_dtype(self.device)).requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Device of the model's parameters."""
        return next(self.model.parameters()).device

    def recognize(self, pixels: Tensor, tier: str, temperature: float = 1.0) -> RecognizedPages:
        """Recognises pages in `pixels`, uint8 [B, 1, H, W], images of `tier`, paper 255. `temperature`: softmax
        temperature of the confidences."""
        parts = self._by_page(lambda part: self._recognize(part, tier, temperature), pixels)
        fields = ((part.symbols, part.rare, part.cells, part.confidence) for part in parts)
        return RecognizedPages(*(np.concatenate(arrays) for arrays in zip(*fields, strict=True)))

    def encode(self, pixels: Tensor, tier: str, capacity: int, calibration: ConfidenceScaling) -> list[bytes]:
        """Recognises pages and returns their streams, each cut if it exceeds `capacity` bytes. `pixels`: as for
        `recognize`."""
        temperature = calibration.temperature(tier)
        certain_from = calibration.certain_from(tier)

        def streams(part: Tensor) -> list[bytes]:
            pages = self._recognize(part, tier, temperature)
            grids = map(SymbolGrid, pages.symbols, pages.rare)
            return [
                self.streams.write(*page, capacity, certain_from) for page in zip(grids, pages.confidence, strict=True)
            ]

        return [stream for part in self._by_page(streams, pixels) for stream in part]

    def _by_page(self, work: Callable[[Tensor], _Result], pixels: Tensor) -> list[_Result]:
        """Applies `work` to each page, one per thread, a single one included; on a GPU, to all pages at once."""
        if self.device.type == "cpu":
            return map_parallel(work, torch.split(pixels, 1), deferrable=True)
        return [work(pixels)]

    @torch.inference_mode()
    def _recognize(self, pixels: Tensor, tier: str, temperature: float) -> RecognizedPages:
        token_rows = DENSE_PAGE.rows_per_token(tier)
        token_pairs = DENSE_PAGE.columns_per_token(tier) // 2
        rows = pixels.shape[-2] // TOKEN_SIDE_PX * token_rows
        dims = self.model.dims.tiers[tier]
        dtype = fast_dtype(self.device)
        used = _rows_used(pixels, rows, token_rows)
        patches = extract_patches(_without_blank_rows(pixels, used, rows).to(self.device), dims, rows, dtype)
        features = self._encoder.encode(patches, tier, token_rows, token_pairs)
        classified = classify_cells(features, self.charset, temperature)
        parts = (part.reshape(len(pixels), -1, COLUMNS).cpu() for part in classified)
        symbols, rare, confidence = (part.numpy() for part in parts)
        alphabet = self.streams.alphabet
        for page, stop in enumerate(used):
            symbols[page, stop:], rare[page, stop:] = alphabet.narrow_symbols(np.array([BLANK], dtype=np.uint32))
            confidence[page, stop:] = 1
        cells = alphabet.cells(symbols, rare)
        canonical = np.stack([self._confusables.canonical(page) for page in cells])
        changed = canonical != cells
        symbols[changed], rare[changed] = alphabet.narrow_symbols(canonical[changed])
        confidence = np.stack([self._confusables.certainty(*page) for page in zip(canonical, confidence, strict=True)])
        return RecognizedPages(symbols, rare, canonical, confidence)
