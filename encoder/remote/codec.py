"""The remote codec: keeps the image of a page at its tier, and has it read when it is wanted."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from types import MappingProxyType

import numpy as np
from PIL.Image import Image, Resampling, new

from foxing.encoder.alignment import BLANK_CONFIDENCE, believed, ink_of, place_on_ink, without_markup
from foxing.encoder.capabilities import RemoteUsage
from foxing.encoder.contract import Reading, TierSpec
from foxing.encoder.errors import CodecError, ReadFailed, TokensError
from foxing.encoder.tokens import PNG, VisionTokens, png_bytes
from foxing.renderer import (
    BLANK,
    DENSE_PAGE,
    PRINTED_PAGE,
    TIERS,
    TOKEN_SIDE_PX,
    Cells,
    PageLayout,
    code_points,
    render,
    tier_rank,
)

from .dispatch import Asking
from .endpoint import CHAT, Endpoint, Timing
from .options import RemoteOptions
from .requests import chat_request
from .responses import Answer, loop_start

NAME = "remote"
#: By their columns. Remote readers want printed characters larger than those of the dense page.
LAYOUTS = {layout.columns: layout for layout in (PRINTED_PAGE, DENSE_PAGE)}
FLAG_BELOW = 0.8  # not measured: it depends on the model that reads
#: Text tokens that a cell with ink may take: full-width characters of rare scripts take three for two cells.
TOKENS_PER_CELL = 1.5
SPARE_TOKENS = 128
#: An answer with so many times the letters that the page has room for does not end by itself.
TOO_LONG = 1.2

_TYPICAL = (
    "The battery test in a cold room took longer than planned, so we moved it from 14 February to the second week of "
    "March; please tell Dr. Keller before Friday that all of this is fine by us, and what else she ought to know."
)


class EndpointCodec:
    """See `foxing.encoder.RemoteCodec` and `foxing.encoder.DownscalableCodec`. Tokens are images and can be read by
    any model; they name the grid of cells, so that a page of another grid is refused."""

    name = NAME
    repertoire: str | None = None
    context_rows: int | None = None

    def __init__(self, options: RemoteOptions, endpoint: Endpoint) -> None:
        self.options = options
        self.endpoint = endpoint
        if options.columns not in LAYOUTS:
            columns = " or ".join(map(str, LAYOUTS))
            raise CodecError(f"FOXING_REMOTE_COLUMNS is {columns}, not {options.columns}")
        self.layout = LAYOUTS[options.columns]
        self.tiers: Mapping[str, TierSpec] = MappingProxyType({tier: _tier(self.layout, tier) for tier in TIERS})
        self.weights = f"{PNG}-{self.layout.columns}x{self.layout.rows}"
        self._asking = Asking(endpoint, self._check, self._reading)

    @classmethod
    def load(cls, options: RemoteOptions, timing: Timing | None = None) -> "EndpointCodec":
        """The codec that reads where `options` say. Nothing is asked yet. Raises `CodecError`."""
        return cls(options, Endpoint(options, timing))

    def close(self) -> None:
        """Cancels what waits and what is being read, whose callers get `ReadFailed`, and closes the connections. A
        codec that is asked again opens new ones."""
        self._asking.close()

    @property
    def usage(self) -> RemoteUsage:
        """What was asked since the codec was loaded, and what it cost."""
        return self.endpoint.meter.usage

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        return {"endpoint": self.endpoint.url, "server": self.options.server, "model": str(self.options.model)}

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        if tier not in self.tiers:
            raise CodecError(f"the {self.name} codec has no tier '{tier}'; it has {', '.join(self.tiers)}")
        side = self.tiers[tier].side_px
        for image in images:
            cropped = self.layout.cropped and image.height % TOKEN_SIDE_PX == 0 and 0 < image.height < side
            if image.width != side or not (cropped or image.height == side):
                less = f", or less by a multiple of {TOKEN_SIDE_PX}" if self.layout.cropped else ""
                raise CodecError(
                    f"an image for '{tier}' is {side} px wide and {side} high{less}, not {image.width}×{image.height}"
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
        """See `foxing.encoder.Codec`. All pages are asked for before the first failure is raised."""
        return self._asking.all(tokens)

    def decode_each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """See `foxing.encoder.RemoteCodec`."""
        return self._asking.each(tokens)

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

    def _resized(self, tokens: VisionTokens, tier: str, used: int) -> Image:
        """The image of `tokens` with the rows that a page with `used` rows has at `tier`."""
        image = tokens.image()
        wanted = self.layout.cropped_rows(used, tier)
        height = wanted * image.width / self.layout.rows  # a page is as high as it is wide
        paper = new("L", (image.width, max(image.height, -(-wanted * image.width // self.layout.rows))), 255)
        paper.paste(image)
        side = self.tiers[tier].side_px
        size = (side, self.layout.bands(used, tier) * TOKEN_SIDE_PX if self.layout.cropped else side)
        return paper.resize(size, Resampling.LANCZOS, box=(0, 0, image.width, height))

    def _reading(self, tokens: VisionTokens) -> Reading:
        """Asks for one page. Raises `ReadFailed`, `TokensError`."""
        layout = self.layout
        rows = tokens.shape[0] * layout.rows_per_token(tokens.tier) if layout.cropped else layout.rows
        image = tokens.image()
        if image.size != (self.tiers[tokens.tier].side_px, tokens.shape[0] * TOKEN_SIDE_PX):
            raise TokensError(f"an image of {image.width}×{image.height} px is no page of '{tokens.tier}'")
        ink = ink_of(image, rows, layout)
        cells: Cells = np.full(ink.shape, BLANK, dtype=np.uint32)
        sure = np.full(ink.shape, BLANK_CONFIDENCE, dtype=np.float32)
        if ink.any():  # an empty page need not be asked for
            limit = self.options.max_tokens or int(TOKENS_PER_CELL * ink.sum()) + rows + SPARE_TOKENS
            answer = _ended(self.endpoint.ask(CHAT, chat_request(self.options, tokens.data, limit)), int(ink.sum()))
            if answer.sure is None:
                text = answer.text
                told = np.full(len(text), self.options.default_confidence, dtype=np.float32)
            else:
                text, told = believed(answer.text, answer.sure)
            text, told = without_markup(text, told)
            if not text.strip():
                raise ReadFailed(f"{self.endpoint.url} answered marks of places, no text; check FOXING_REMOTE_PROMPT")
            cells, sure = place_on_ink(text, told, ink)
        return Reading(tokens.tier, cells, sure, self.tiers[tokens.tier].flag_below)

    def _check(self, tokens: VisionTokens) -> None:
        """Raises `TokensError` where they are none of ours."""
        if tokens.codec != self.name:
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}', this is '{self.name}'")
        if tokens.weights != self.weights:
            raise TokensError(
                f"these tokens are an image of another grid ({tokens.weights}, here {self.weights}); set "
                "FOXING_REMOTE_COLUMNS to that of the pages"
            )
        if tokens.tier not in self.tiers:
            raise TokensError(f"the {self.name} codec has no tier '{tokens.tier}'")
        side = self.layout.token_rows(tokens.tier)
        rows_fit = tokens.shape[0] <= side if self.layout.cropped else tokens.shape[0] == side
        if tokens.dtype != PNG or not rows_fit or tokens.shape[1] != side:
            raise TokensError(f"tokens of shape {tokens.shape} and dtype {tokens.dtype} are no page of '{tokens.tier}'")


def _ended(answer: Answer, inked: int) -> Answer:
    """The answer up to where it begins to go round in circles, if it does not end by itself."""
    text = answer.text
    endless = answer.cut or sum(not letter.isspace() for letter in text) > TOO_LONG * inked
    start = loop_start(text) if endless else None
    return answer if start is None else answer.head(start)


@lru_cache(maxsize=32)
def _tier(layout: PageLayout, tier: str) -> TierSpec:
    """Bytes are those of a page full of English."""
    tokens = layout.vision_tokens(layout.rows, tier)
    words = Random(0).choices(_TYPICAL.split(), k=layout.cells)  # a text that repeats itself would make a smaller PNG
    page = render(code_points(" ".join(words)[: layout.cells]).reshape(layout.rows, layout.columns), layout, tier)
    return TierSpec(
        name=tier,
        side_px=layout.side_px(tier),
        tokens=tokens,
        bytes_per_token=-(-len(png_bytes(page)) // tokens),
        dtype=PNG,
        flag_below=FLAG_BELOW,
    )
