"""The native codec, behind the codec contract."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from PIL.Image import Image

from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.device import named, pick_device
from foxing.encoder.errors import CodecError
from foxing.encoder.tokens import STREAM, VisionTokens
from foxing.renderer import DENSE_PAGE, TOKEN_SIDE_PX, Repertoire

from .calibration import Calibration
from .decoder import NAME, TOKEN_BYTES, TokenDecoder, batch_equal
from .runner import NetworkRunner, to_pixels
from .weights import WEIGHTS_PATH, load_weights, weights_digest


class NativeCodec:
    """See `foxing.encoder.Codec`. Encodes and decodes in batches of `BATCH_PAGES`; safe to share between threads."""

    name = NAME
    layout = DENSE_PAGE

    def __init__(self, runner: NetworkRunner, weights: str, calibration: Calibration | None = None) -> None:
        """`weights`: digest of the weights file."""
        self.runner = runner
        self.weights = weights
        self.calibration = calibration or Calibration()
        self.repertoire: Repertoire | None = runner.charset.repertoire
        self.context_rows: int | None = None
        sizes = {tier: dims.sizes[0] for tier, dims in runner.model.dims.tiers.items()}
        self.tiers: Mapping[str, TierSpec] = MappingProxyType(
            {tier: self._tier_spec(tier, size) for tier, size in sizes.items()}
        )
        self._decoder = TokenDecoder(runner.unpacker, weights, self.calibration, sizes)

    def _tier_spec(self, tier: str, size: int) -> TierSpec:
        return TierSpec(
            name=tier,
            side_px=self.layout.side_px(tier),
            tokens=self.layout.vision_tokens(self.layout.rows, tier),
            bytes_per_token=TOKEN_BYTES,
            dtype=STREAM,
            flag_below=self.calibration.flag_below(tier, size),
        )

    @classmethod
    def load(cls, path: Path = WEIGHTS_PATH, device: str = "auto") -> "NativeCodec":
        """The codec with the weights in `path`, on `device`. Raises `CodecError`."""
        chosen = pick_device(device)
        model, charset, info = load_weights(path)
        model.eval().requires_grad_(False).to(chosen)
        return cls(NetworkRunner(model, charset), weights_digest(path), Calibration.from_info(info))

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        return {"device": named(self.runner.device)}

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        """See `foxing.encoder.Codec`."""
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        self._check_sizes(images, tier)
        row_bytes = self._decoder.row_bytes(tier)
        temperature = self.calibration.temperature(tier)
        result: dict[int, VisionTokens] = {}
        for numbers in batch_equal([image.height for image in images]):
            pixels = to_pixels([images[i].convert("L") for i in numbers])
            pages = self.runner.encode(pixels, tier, row_bytes, temperature)
            for number, page in zip(numbers, pages, strict=True):
                shape = (1, -(-page.size // TOKEN_BYTES), TOKEN_BYTES)
                result[number] = VisionTokens(self.name, self.weights, tier, shape, STREAM, page.tobytes())
        return [result[i] for i in range(len(images))]

    def _check_sizes(self, images: Sequence[Image], tier: str) -> None:
        """Raises `CodecError` for an image that is not a page of `tier`."""
        side = self.tiers[tier].side_px
        for image in images:
            if image.width != side or image.height % TOKEN_SIDE_PX or not 0 < image.height <= side:
                raise CodecError(
                    f"an image for '{tier}' is {side} px wide and a multiple of {TOKEN_SIDE_PX} px high, "
                    f"at most {side}, not {image.width}×{image.height}"
                )

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec`."""
        return self._decoder.decode(tokens)
