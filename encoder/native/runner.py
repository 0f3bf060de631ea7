"""Runs the network of the native codec over batches of page images."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL.Image import Image
from torch import Tensor

from foxing.renderer import DENSE_PAGE, TOKEN_SIDE_PX, Cells

from .charset import Charset
from .confidence_scaling import ConfidenceScaling
from .decoder import PageStreams
from .entropy.alphabet import COLUMNS, SymbolGrid, Symbols
from .entropy.tables import PriorTables
from .model import NativeModel
from .network.classify import classify_cells
from .network.patches import extract_patches
from .parallel import map_parallel

_Result = TypeVar("_Result")


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float32 elsewhere."""
    if device.type == "cpu" and not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return torch.float32
    return torch.bfloat16


def to_pixels(images: Sequence[Image]) -> Tensor:
    """uint8 [B, 1, H, W], paper 255, from images of mode "L" and one size."""
    return torch.from_numpy(np.stack([np.asarray(image, dtype=np.uint8) for image in images])).unsqueeze(1)


@dataclass(frozen=True)
class RecognizedPages:
    """What the encoder recognised on pages, [B, rows, 160] each."""

    #: int64: the symbol of each cell, as in `entropy.alphabet`.
    symbols: Symbols
    #: int64: index into the rare narrow characters; 0 elsewhere.
    rare: Symbols
    #: uint32: the cells that `symbols` and `rare` stand for.
    cells: Cells
    #: float32 in [0, 1]: probability that the cell is right.
    confidence: npt.NDArray[np.float32]


class NetworkRunner:
    """Runs a `NativeModel` over pages of one size. On a CPU, each page runs on a thread. Safe to share between
    threads."""

    def __init__(self, model: NativeModel, charset: Charset, prior: PriorTables) -> None:
        self.model = model
        self.charset = charset
        self.streams = PageStreams(prior, charset)
        self._confusables = charset.confusables
        self._encoder = model.encoder
        if fast_dtype(self.device) != next(model.encoder.parameters()).dtype:
            self._encoder = deepcopy(model.encoder).to(fast_dtype(self.device)).requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def recognize(self, pixels: Tensor, tier: str, temperature: float = 1.0) -> RecognizedPages:
        """What the encoder recognises in `pixels`, uint8 [B, 1, H, W], the image of a tier, paper 255. Logits are
        divided by `temperature` before they become confidences."""
        parts = self._by_page(lambda part: self._recognize(part, tier, temperature), pixels)
        fields = ((part.symbols, part.rare, part.cells, part.confidence) for part in parts)
        return RecognizedPages(*(np.concatenate(arrays) for arrays in zip(*fields, strict=True)))

    def encode(self, pixels: Tensor, tier: str, capacity: int, calibration: ConfidenceScaling) -> list[bytes]:
        """The stream of each page, cut if it takes more than `capacity` bytes. `pixels`: as for `recognize`."""
        temperature, certain_from = calibration.temperature(tier), calibration.certain_from(tier)

        def streams(part: Tensor) -> list[bytes]:
            pages = self._recognize(part, tier, temperature)
            grids = map(SymbolGrid, pages.symbols, pages.rare)
            return [
                self.streams.write(*page, capacity, certain_from) for page in zip(grids, pages.confidence, strict=True)
            ]

        return [stream for part in self._by_page(streams, pixels) for stream in part]

    def _by_page(self, work: Callable[[Tensor], _Result], pixels: Tensor) -> list[_Result]:
        """`work` on each page, one per thread; on a GPU, on all pages at once."""
        if self.device.type == "cpu" and len(pixels) > 1:
            return map_parallel(work, torch.split(pixels, 1), deferrable=True)
        return [work(pixels)]

    @torch.inference_mode()
    def _recognize(self, pixels: Tensor, tier: str, temperature: float) -> RecognizedPages:
        token_rows, token_pairs = DENSE_PAGE.rows_per_token(tier), DENSE_PAGE.columns_per_token(tier) // 2
        rows = pixels.shape[-2] // TOKEN_SIDE_PX * token_rows
        dims, dtype = self.model.dims.tiers[tier], fast_dtype(self.device)
        patches = extract_patches(pixels.to(self.device), dims, rows, dtype)
        features = self._encoder.encode(patches, tier, token_rows, token_pairs)
        classified = classify_cells(features, self.charset, temperature)
        parts = (part.reshape(len(pixels), -1, COLUMNS).cpu() for part in classified)
        symbols, rare, confidence = (part.numpy() for part in parts)
        alphabet = self.streams.alphabet
        cells = alphabet.cells(symbols, rare)
        canonical = np.stack([self._confusables.canonical(page) for page in cells])
        changed = canonical != cells
        symbols[changed], rare[changed] = alphabet.narrow_symbols(canonical[changed])
        confidence = np.stack([self._confusables.certainty(*page) for page in zip(canonical, confidence, strict=True)])
        return RecognizedPages(symbols, rare, canonical, confidence)
