"""Native codec: implementation of the codec contract."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.device import device_label, pick_device
from foxing.encoder.errors import CodecError
from foxing.encoder.tokens import STREAM, VisionTokens
from foxing.renderer import DENSE_PAGE
from foxing.renderer.page import WIDE_TAIL, Cells
from foxing.renderer.repertoire import Repertoire
from foxing.renderer.tiers import TOKEN_SIDE_PX

from .confidence_scaling import CONFIDENCE_COST_FACTORS, ConfidenceScaling
from .decoder import NAME, PageStreams, TokenDecoder
from .weights import WEIGHTS_PATH, ReadingWeights, load_for_reading, load_network, weights_digest

if TYPE_CHECKING:
    from .runner import NetworkRunner

BATCH_PAGES = 8


class NativeCodec:
    """See `foxing.encoder.Codec`. Encodes in batches of `BATCH_PAGES`; decoding needs neither the network nor torch,
    which are loaded when a page is first encoded. Thread-safe."""

    name = NAME
    layout = DENSE_PAGE

    def __init__(
        self, weights: ReadingWeights, digest: str, load_runner: "Callable[[PageStreams], NetworkRunner]"
    ) -> None:
        """`digest`: of the weights file; `load_runner`: loads the network."""
        self.dims, self.charset, prior, info = weights
        self.weights = digest
        self.calibration = ConfidenceScaling.from_info(info)
        self.context_rows: int | None = None
        self.tiers: Mapping[str, TierSpec] = MappingProxyType({tier: self._tier_spec(tier) for tier in self.dims.tiers})
        self.streams = PageStreams(prior, self.charset)
        self._decoder = TokenDecoder(self.streams, digest, self.calibration, self.dims)
        self._load_runner = load_runner
        self._runner: NetworkRunner | None = None
        self._loading = Lock()

    @cached_property
    def repertoire(self) -> Repertoire | None:
        """Characters that it can decode, with their glyphs; made for the first page that is drawn."""
        return self.charset.repertoire

    @property
    def runner(self) -> "NetworkRunner":
        """The network, loaded on first use. Raises `CodecError`."""
        with self._loading:
            if self._runner is None:
                self._runner = self._load_runner(self.streams)
            return self._runner

    def _tier_spec(self, tier: str) -> TierSpec:
        dims = self.dims
        tokens, fact_tokens = dims.capacity(tier)
        return TierSpec(
            name=tier,
            side_px=self.layout.side_px(tier),
            tokens=tokens,
            fact_tokens=fact_tokens,
            bytes_per_token=dims.token_bytes,
            dtype=STREAM,
            flag_below=self.calibration.flag_below(tier),
        )

    @classmethod
    def load(cls, path: Path = WEIGHTS_PATH, device: str = "auto") -> "NativeCodec":
        """Loads the weights in `path`; the network follows on first use, to `device`. Raises `CodecError`."""
        if device not in ("auto", "cpu"):
            pick_device(device)  # raises `CodecError` now
        weights = load_for_reading(path)

        def load_runner(streams: PageStreams) -> "NetworkRunner":
            from .runner import NetworkRunner

            model = load_network(path, weights.dims, weights.charset)
            model.eval().requires_grad_(False).to(pick_device(device))
            return NetworkRunner(model, weights.charset, streams)

        return cls(weights, weights_digest(path), load_runner)

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        return {"device": device_label(self.runner.device)}

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        """See `foxing.encoder.Codec`."""
        self._check_tier(tier)
        self._check_sizes(images, tier)
        spec = self.tiers[tier]
        from .runner import to_pixels

        result: dict[int, VisionTokens] = {}
        for numbers in batch_equal([image.height for image in images]):
            pixels = to_pixels([images[i].convert("L") for i in numbers])
            streams = self.runner.encode(pixels, tier, spec.max_bytes, self.calibration)
            for number, stream in zip(numbers, streams, strict=True):
                shape = (1, -(-len(stream) // spec.bytes_per_token), spec.bytes_per_token)
                result[number] = VisionTokens(self.name, self.weights, tier, shape, STREAM, stream)
        return [result[i] for i in range(len(images))]

    def _check_tier(self, tier: str) -> None:
        """Raises `CodecError` for an unknown tier."""
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")

    def _check_sizes(self, images: Sequence[Image], tier: str) -> None:
        """Raises `CodecError` for an image that is not a page of `tier`."""
        side = self.tiers[tier].side_px
        for image in images:
            if image.width != side or image.height % TOKEN_SIDE_PX or not 0 < image.height <= side:
                raise CodecError(
                    f"an image for '{tier}' is {side} px wide and a multiple of {TOKEN_SIDE_PX} px high, "
                    f"at most {side}, not {image.width}×{image.height}"
                )

    def cost(self, cells: Cells, tier: str) -> npt.NDArray[np.float32]:
        """See `foxing.encoder.CostableCodec`. Costs include the confidences; that of a full-width character is in its
        left cell."""
        self._check_tier(tier)
        narrow, wide = CONFIDENCE_COST_FACTORS.get(tier, (1.0, 1.0))
        costs = self.streams.cost(cells) * np.float32(narrow)
        costs[:, :-1][cells[:, 1:] == WIDE_TAIL] *= np.float32(wide / narrow)
        return costs

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec`."""
        return self._decoder.decode(tokens)

    def without_confidences(self, tokens: Sequence[VisionTokens]) -> list[VisionTokens]:
        """See `foxing.encoder.VerifiableCodec`."""
        return self._decoder.without_confidences(tokens)


def batch_equal(heights: Sequence[int]) -> Iterator[list[int]]:
    """Yields batches of at most `BATCH_PAGES` positions with equal `heights`."""
    groups: dict[int, list[int]] = defaultdict(list)
    for position, height in enumerate(heights):
        groups[height].append(position)
    for positions in groups.values():
        for start in range(0, len(positions), BATCH_PAGES):
            yield positions[start : start + BATCH_PAGES]
