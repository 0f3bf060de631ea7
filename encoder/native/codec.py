"""The native codec, behind the codec contract."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from PIL.Image import Image

from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.device import named, pick_device
from foxing.encoder.errors import CodecError
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import DENSE_PAGE, TOKEN_SIDE_PX, Repertoire

from .calibration import Calibration
from .decoder import DTYPE, NAME, TokenDecoder, batch_equal
from .runner import NetworkRunner, to_pixels
from .weights import WEIGHTS_PATH, load_weights, weights_digest

#: The setting that chooses sizes.
TOKEN_BYTES = "codecs.native.token_bytes"


class NativeCodec:
    """See `foxing.encoder.Codec`. Encodes and decodes in batches of `BATCH_PAGES`; safe to share between threads.

    The vision tokens of a tier can have several sizes: `sizes` lists them, `sized` chooses. Tokens of every size are
    read, whichever was chosen.
    """

    name = NAME
    layout = DENSE_PAGE

    def __init__(
        self,
        runner: NetworkRunner,
        weights: str,
        calibration: Calibration | None = None,
        token_bytes: Mapping[str, int] | None = None,
    ) -> None:
        """`weights`: digest of the weights file; `token_bytes`: size of a vision token by tier, where it is not the
        default. Raises `CodecError` for a tier or size that the weights do not have."""
        self.runner = runner
        self.weights = weights
        self.calibration = calibration or Calibration()
        self.repertoire: Repertoire | None = runner.charset.repertoire
        self.context_rows: int | None = 0
        #: Bytes that a vision token may have at each tier, the default first.
        self.sizes: Mapping[str, tuple[int, ...]] = MappingProxyType(
            {tier: dims.sizes for tier, dims in runner.model.dims.tiers.items()}
        )
        chosen = self._choose_sizes(token_bytes or {})
        self.tiers: Mapping[str, TierSpec] = MappingProxyType(
            {tier: self._tier_spec(tier, size) for tier, size in chosen.items()}
        )
        self._decoder = TokenDecoder(runner.unpacker, weights, self.calibration, self.sizes)

    def _choose_sizes(self, token_bytes: Mapping[str, int]) -> dict[str, int]:
        """The size of a vision token of every tier. Raises `CodecError`."""
        for tier in token_bytes:
            if tier not in self.sizes:
                raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.sizes)}").naming(
                    TOKEN_BYTES
                )
        for tier, size in token_bytes.items():
            if size not in self.sizes[tier]:
                offered = ", ".join(map(str, self.sizes[tier]))
                raise CodecError(f"a token of '{tier}' cannot have {size} bytes; these weights offer {offered}").naming(
                    TOKEN_BYTES
                )
        return {tier: token_bytes.get(tier, sizes[0]) for tier, sizes in self.sizes.items()}

    def _tier_spec(self, tier: str, size: int) -> TierSpec:
        return TierSpec(
            name=tier,
            side_px=self.layout.side_px(tier),
            tokens=self.layout.vision_tokens(self.layout.rows, tier),
            bytes_per_token=size,
            dtype=DTYPE,
            flag_below=self.calibration.flag_below(tier, size),
        )

    @classmethod
    def load(
        cls, path: Path = WEIGHTS_PATH, device: str = "auto", token_bytes: Mapping[str, int] | None = None
    ) -> "NativeCodec":
        """The codec with the weights in `path`, on `device`. Raises `CodecError`."""
        chosen = pick_device(device)
        model, charset, info = load_weights(path)
        model.eval().requires_grad_(False).to(chosen)
        return cls(NetworkRunner(model, charset), weights_digest(path), Calibration.from_info(info), token_bytes)

    def sized(self, token_bytes: Mapping[str, int]) -> "NativeCodec":
        """A codec that writes tokens of other sizes and shares these weights in memory. Raises `CodecError`."""
        return NativeCodec(self.runner, self.weights, self.calibration, token_bytes)

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        return {"device": named(self.runner.device)}

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        """See `foxing.encoder.Codec`."""
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        self._check_sizes(images, tier)
        size, across = self.tiers[tier].bytes_per_token, self.layout.token_rows(tier)
        temperature = self.calibration.temperature(tier)
        result: dict[int, VisionTokens] = {}
        for numbers in batch_equal([image.height for image in images]):
            pixels = to_pixels([images[i].convert("L") for i in numbers])
            pages = self.runner.encode(pixels, tier, size * across, temperature)
            for number, page in zip(numbers, pages, strict=True):
                shape = (len(page), across, size)
                result[number] = VisionTokens(self.name, self.weights, tier, shape, DTYPE, page.tobytes())
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
