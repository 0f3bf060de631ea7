"""Remote codec: stores the image of a page at its tier, and reads it through a server on demand."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from random import Random
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL.Image import Image, Resampling, fromarray, new
from PIL.ImageFilter import MaxFilter

from foxing.encoder.alignment import BLANK_CONFIDENCE, Ink, ink_of, mask_untrusted, place_on_ink, without_markup
from foxing.encoder.capabilities import RemoteUsage
from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.flag_thresholds import FlagThresholds
from foxing.encoder.tokens import PNG, VisionTokens, png_bytes
from foxing.renderer import DENSE_PAGE, PageLayout, all_tiers, render, tier_rank
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.page import BLANK, Cells
from foxing.renderer.repertoire import Repertoire
from foxing.renderer.tiers import TOKEN_SIDE_PX
from foxing.renderer.typeset import code_points

from .dispatch import PageDispatcher
from .endpoint import CHAT, Endpoint
from .options import RemoteOptions
from .requests import chat_request
from .responses import ChatCompletion, loop_start
from .retries import Timing

NAME = "remote"
#: Columns → layout. Vision models need larger characters than those of the dense page.
LAYOUTS = {layout.columns: layout for layout in (PRINTED_PAGE, DENSE_PAGE)}
FLAG_BELOW = 0.8  # default without a calibration; the best value depends on the model
#: Maximum text tokens per inked cell: full-width characters of rare scripts take three for two cells.
TOKENS_PER_CELL = 1.5
SPARE_TOKENS = 128
#: Maximum letters per inked cell; a text with more is searched for repetition loops.
MAX_LETTERS_PER_CELL = 1.2

#: Resizing leaves a faint halo around characters: pixels within this distance of a blanked cell that are lighter than
#: this value (0 is black) are blanked as well.
HALO_PX = 4
HALO_ABOVE = 216

_TYPICAL = (
    "The battery test in a cold room took longer than planned, so we moved it from 14 February to the second week of "
    "March; please tell Dr. Keller before Friday that all of this is fine by us, and what else she ought to know."
)


class EndpointCodec:
    """Codec with the capabilities `RemoteCodec`, `DownscalableCodec` and `BlankableCodec` of `foxing.encoder`. Tokens
    are images, which any model can read; their `weights` name the grid of cells, and tokens of another grid are
    rejected."""

    name = NAME
    repertoire: Repertoire | None = None
    context_rows: int | None = None

    def __init__(self, options: RemoteOptions, endpoint: Endpoint) -> None:
        self.options = options
        self.endpoint = endpoint
        self.layout = LAYOUTS[options.columns]
        self.tiers: Mapping[str, TierSpec] = MappingProxyType(
            {tier: _tier_spec(self.layout, tier) for tier in all_tiers()}
        )
        self.weights = f"{PNG}-{self.layout.columns}x{self.layout.rows}"
        self._dispatcher = PageDispatcher(endpoint, self._check, self._read_page)

    @classmethod
    def load(cls, options: RemoteOptions, timing: Timing | None = None) -> "EndpointCodec":
        """Creates a codec for the server in `options`, without contacting it. Raises `CodecError`."""
        codec = cls(options, Endpoint(options, timing))
        if options.calibration is not None:
            calibration = FlagThresholds.read(options.calibration.expanduser())
            codec.flag(calibration.thresholds_for(codec.name, codec.weights, options.model))
        return codec

    def flag(self, below: Mapping[str, float]) -> None:
        """Sets the flag thresholds. `below`: tier → confidence; `FLAG_BELOW` at tiers that are not given."""
        specs = {tier: replace(spec, flag_below=below.get(tier, FLAG_BELOW)) for tier, spec in self.tiers.items()}
        self.tiers = MappingProxyType(specs)

    def close(self) -> None:
        """Cancels queued and running pages, whose callers get `ReadFailed`, and closes the connections. Later calls
        open new ones."""
        self._dispatcher.close()

    @property
    def usage(self) -> RemoteUsage:
        """Usage of the server since the codec was loaded."""
        return self.endpoint.meter.usage

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        return {"endpoint": self.endpoint.url, "server": self.options.server, "model": self.options.model}

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        """See `foxing.encoder.Codec`."""
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        side = self.tiers[tier].side_px
        for image in images:
            cropped = self.layout.cropped and image.height % TOKEN_SIDE_PX == 0 and 0 < image.height < side
            if image.width != side or not (cropped or image.height == side):
                less = f", or less by a multiple of {TOKEN_SIDE_PX}" if self.layout.cropped else ""
                raise CodecError(
                    f"an image for '{tier}' must be {side} px wide and {side} px high{less}, "
                    f"not {image.width}×{image.height} px"
                )
        return [
            VisionTokens(
                self.name,
                self.weights,
                tier,
                (image.height // TOKEN_SIDE_PX, self.layout.token_rows(tier), 1),
                PNG,
                png_bytes(image),
            )
            for image in images
        ]

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec`. Raises the first failure after every page has been attempted."""
        return self._dispatcher.all(tokens)

    def decode_each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """See `foxing.encoder.RemoteCodec`."""
        return self._dispatcher.each(tokens)

    def lower(self, tokens: Sequence[VisionTokens], tier: str, rows: Sequence[int]) -> list[VisionTokens]:
        """See `foxing.encoder.DownscalableCodec`."""
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        images = []
        for item, used in zip(tokens, rows, strict=True):
            self._check(item)
            if tier_rank(tier) < tier_rank(item.tier):
                raise CodecError(f"a page held at '{item.tier}' cannot be shown as sharp as '{tier}'")
            images.append(self._resized(item, tier, used))
        return self.encode(images, tier)

    def blank(self, tokens: Sequence[VisionTokens], masks: Sequence[npt.NDArray[np.bool_]]) -> list[VisionTokens]:
        """See `foxing.encoder.BlankableCodec`. A pixel belongs to the cell that contains its centre; faint pixels
        beside a blanked cell are blanked as well."""
        blanked = []
        for item, cells in zip(tokens, masks, strict=True):
            self._check(item)
            pixels = np.array(self._image(item))
            side = pixels.shape[1]  # a full page is square
            rows = ((np.arange(len(pixels)) + 0.5) * self.layout.rows / side).astype(int)
            columns = ((np.arange(side) + 0.5) * self.layout.columns / side).astype(int)
            white = cells[np.minimum(rows, len(cells) - 1)][:, columns]
            white = white | (rows >= len(cells))[:, None]
            halo = np.asarray(fromarray(white.astype(np.uint8)).filter(MaxFilter(2 * HALO_PX + 1))) > 0
            pixels[white | (halo & (pixels > HALO_ABOVE))] = 255
            height = self.layout.bands(len(cells), item.tier) * TOKEN_SIDE_PX if self.layout.cropped else side
            blanked += self.encode([fromarray(pixels[:height])], item.tier)
        return blanked

    def _resized(self, tokens: VisionTokens, tier: str, rows_used: int) -> Image:
        """Returns the image of `tokens`, cropped and resized for a page with `rows_used` rows at `tier`."""
        image = self._image(tokens)
        rows = self.layout.cropped_rows(rows_used, tier)
        height = rows * image.width / self.layout.rows  # a full page is square
        paper = new("L", (image.width, max(image.height, -(-rows * image.width // self.layout.rows))), 255)
        paper.paste(image)
        side = self.tiers[tier].side_px
        size = (side, self.layout.bands(rows_used, tier) * TOKEN_SIDE_PX if self.layout.cropped else side)
        return paper.resize(size, Resampling.LANCZOS, box=(0, 0, image.width, height))

    def _image(self, tokens: VisionTokens) -> Image:
        """Returns the page image. Raises `TokensError` if it is damaged or does not have the size of its tier."""
        image = tokens.image()
        if image.size != (self.tiers[tokens.tier].side_px, tokens.shape[0] * TOKEN_SIDE_PX):
            raise TokensError(f"an image of {image.width}×{image.height} px is not a page of '{tokens.tier}'")
        return image

    async def _read_page(self, tokens: VisionTokens) -> Reading:
        """Reads one page. Raises `ReadFailed` or `TokensError`."""
        ink = await asyncio.to_thread(self._ink, tokens)
        cells: Cells = np.full(ink.shape, BLANK, dtype=np.uint32)
        confidence = np.full(ink.shape, BLANK_CONFIDENCE, dtype=np.float32)
        if ink.any():  # an empty page needs no request
            inked = int(ink.sum())
            limit = self.options.max_tokens or int(TOKENS_PER_CELL * inked) + len(ink) + SPARE_TOKENS
            completion = await self.endpoint.request(CHAT, chat_request(self.options, tokens.data, limit))
            text, sure = self._text_of(_without_loop(completion, inked))
            cells, confidence = await asyncio.to_thread(place_on_ink, text, sure, ink)
        return Reading(tokens.tier, cells, confidence, self.tiers[tokens.tier].flag_below)

    def _ink(self, tokens: VisionTokens) -> Ink:
        layout = self.layout
        rows = tokens.shape[0] * layout.rows_per_token(tokens.tier) if layout.cropped else layout.rows
        return ink_of(self._image(tokens), rows, layout)

    def _text_of(self, completion: ChatCompletion) -> tuple[str, npt.NDArray[np.float32]]:
        """Returns the text on the page, and the confidence of each character, float32[len(text)]. Raises
        `ReadFailed`."""
        if completion.confidence is None:
            text = completion.text
            confidence = np.full(len(text), self.options.default_confidence, dtype=np.float32)
        else:
            text, confidence = mask_untrusted(completion.text, completion.confidence)
        text, confidence = without_markup(text, confidence)
        if not text.strip():
            raise ReadFailed(f"{self.endpoint.url} returned positions but no text; check the option 'prompt'")
        return text, confidence

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` for tokens that this codec cannot read."""
        if tokens.codec != self.name:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', not by '{self.name}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens are images of another grid ({tokens.weights}, not {self.weights}); set "
                "the option 'columns' to the columns of the pages"
            )
        if tokens.tier not in self.tiers:
            raise TokensError(f"the {self.name} codec has no tier '{tokens.tier}'")
        side = self.layout.token_rows(tokens.tier)
        rows_fit = tokens.shape[0] <= side if self.layout.cropped else tokens.shape[0] == side
        if tokens.dtype != PNG or not rows_fit or tokens.shape[1] != side:
            raise TokensError(
                f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are not a page of '{tokens.tier}'"
            )


def _without_loop(completion: ChatCompletion, inked: int) -> ChatCompletion:
    """Truncates a completion without a proper end where it starts to loop. `inked`: number of cells with ink."""
    text = completion.text
    letters = sum(not character.isspace() for character in text)
    endless = completion.cut or letters > MAX_LETTERS_PER_CELL * inked
    start = loop_start(text) if endless else None
    return completion if start is None else completion.head(start)


@lru_cache(maxsize=32)
def _tier_spec(layout: PageLayout, tier: str) -> TierSpec:
    """Returns the spec of a tier, with the bytes of a page full of English."""
    tokens = layout.vision_tokens(layout.rows, tier)
    words = Random(0).choices(_TYPICAL.split(), k=layout.cells)  # repeated text would make a smaller PNG
    page = render(code_points(" ".join(words)[: layout.cells]).reshape(layout.rows, layout.columns), layout, tier)
    return TierSpec(
        name=tier,
        side_px=layout.side_px(tier),
        tokens=tokens,
        bytes_per_token=-(-len(png_bytes(page)) // tokens),
        dtype=PNG,
        flag_below=FLAG_BELOW,
    )
