"""Billing formulas: the tokens that a provider bills for an image of a given size in px.

Each formula also gives the size to which the provider scales the image down.
"""

from fractions import Fraction
from math import ceil, floor, sqrt
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=1 << 20)]


class Billing(Protocol):
    """Billing formula of a provider."""

    def tokens(self, width: int, height: int) -> int:
        """Returns the tokens billed for an image of `width` by `height` px."""
        ...

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """Returns the width and height in px after the provider has scaled the image down."""
        ...

    def in_words(self) -> str:
        """Returns the formula with its numbers, for people."""
        ...


class _Formula(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """See `Billing`."""
        return width, height


class Patches(_Formula):
    """Billing by square patches: Claude, the smaller GPT models, Qwen-VL."""

    formula: Literal["patches"] = "patches"
    side: Count
    #: An image with a longer side is scaled down.
    max_side_px: Count
    #: An image with more patches is scaled down.
    max_patches: Count
    multiplier: Annotated[float, Field(gt=0, le=100)] = 1.0

    def tokens(self, width: int, height: int) -> int:
        """See `Billing`."""
        return ceil(Fraction(str(self.multiplier)) * self._patches(*self.scaled_size(width, height)))

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """See `Billing`."""
        width, height = _fit(width, height, self.max_side_px)
        if self._patches(width, height) <= self.max_patches:
            return width, height
        # scaled to the area of `max_patches`, then until one side is a multiple of a patch, as OpenAI documents
        scale = sqrt(self.max_patches * self.side**2 / (width * height))
        sides = (width * scale / self.side, height * scale / self.side)
        scale *= min(floor(side) / side for side in sides if side >= 1)
        width = max(1, floor(width * scale))
        height = max(1, floor(height * scale))
        while self._patches(width, height) > self.max_patches:  # one side is shorter than a patch
            width = max(1, width * 99 // 100)
            height = max(1, height * 99 // 100)
        return width, height

    def in_words(self) -> str:
        """See `Billing`."""
        times = "" if self.multiplier == 1 else f" · {self.multiplier:g}"
        limits = f"up to {self.max_side_px:,} px a side and {self.max_patches:,} patches"
        return f"⌈width/{self.side}⌉ · ⌈height/{self.side}⌉{times}, {limits}"

    def _patches(self, width: int, height: int) -> int:
        return -(-width // self.side) * -(-height // self.side)


class Tiles(_Formula):
    """Billing by image and tile: GPT-4o, GPT-4.1 and GPT-5."""

    formula: Literal["tiles"] = "tiles"
    #: An image is scaled down to fit a square of this side, then until its shorter side is at most `short_side_px`.
    fit_px: Count
    short_side_px: Count
    tile_px: Count
    base: Annotated[int, Field(ge=0, le=1 << 20)]
    per_tile: Count

    def tokens(self, width: int, height: int) -> int:
        """See `Billing`."""
        width, height = self.scaled_size(width, height)
        return self.base + self.per_tile * -(-width // self.tile_px) * -(-height // self.tile_px)

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """See `Billing`."""
        width, height = _fit(width, height, self.fit_px)
        short = min(width, height)
        if short <= self.short_side_px:
            return width, height
        return round(width * self.short_side_px / short), round(height * self.short_side_px / short)

    def in_words(self) -> str:
        """See `Billing`."""
        return (
            f"{self.base} + {self.per_tile} for each tile of {self.tile_px} px, the image fitted in {self.fit_px:,} px "
            f"and its shorter side in {self.short_side_px} px"
        )


class Crops(_Formula):
    """Billing by crops of an image: Gemini 2."""

    formula: Literal["crops"] = "crops"
    #: An image whose longer side is at most this is one crop.
    small_px: Count
    min_crop_px: Count
    max_crop_px: Count
    per_crop: Count

    def tokens(self, width: int, height: int) -> int:
        """See `Billing`."""
        if max(width, height) <= self.small_px:
            return self.per_crop
        crop = min(self.max_crop_px, max(self.min_crop_px, floor(min(width, height) / 1.5)))
        return self.per_crop * -(-width // crop) * -(-height // crop)

    def in_words(self) -> str:
        """See `Billing`."""
        return (
            f"{self.per_crop} for each crop of ⌊shorter side/1.5⌋ px, from {self.min_crop_px} to {self.max_crop_px}; "
            f"one up to {self.small_px} px a side"
        )


class MeasuredSize(_Formula):
    """Size of an image whose tokens were measured."""

    width_px: Count
    height_px: Count
    tokens: Count


class Flat(_Formula):
    """Flat rate per image: Gemini 3."""

    formula: Literal["flat"] = "flat"
    per_image: Count
    #: Sizes for which another number was measured.
    measured: Annotated[tuple[MeasuredSize, ...], Field(max_length=20)] = ()

    def tokens(self, width: int, height: int) -> int:
        """See `Billing`."""
        same = (size.tokens for size in self.measured if (size.width_px, size.height_px) == (width, height))
        return next(same, self.per_image)

    def in_words(self) -> str:
        """See `Billing`."""
        measured = "".join(f"; {size.tokens:,} at {size.width_px:,} × {size.height_px:,} px" for size in self.measured)
        return f"{self.per_image:,} for each image{measured}"


class Area(_Formula):
    """Billing by area: Grok."""

    formula: Literal["area"] = "area"
    #: Tokens for a million px.
    per_megapixel: Count
    #: An image with a longer side is scaled down.
    max_side_px: Count

    def tokens(self, width: int, height: int) -> int:
        """See `Billing`."""
        width, height = self.scaled_size(width, height)
        return max(1, -(-width * height * self.per_megapixel // 1_000_000))

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """See `Billing`."""
        return _fit(width, height, self.max_side_px)

    def in_words(self) -> str:
        """See `Billing`."""
        return f"{self.per_megapixel:,} for a million px, up to {self.max_side_px:,} px a side"


class Mode(_Formula):
    """One size of `Modes`."""

    side_px: Count
    tokens: Count


class Modes(_Formula):
    """Billing by the smallest square that holds the image: DeepSeek-OCR."""

    formula: Literal["modes"] = "modes"
    #: Ascending by size; a larger image is scaled down to the last.
    modes: Annotated[tuple[Mode, ...], Field(min_length=1, max_length=20)]

    def tokens(self, width: int, height: int) -> int:
        """See `Billing`."""
        long = max(width, height)
        return next((mode.tokens for mode in self.modes if long <= mode.side_px), self.modes[-1].tokens)

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """See `Billing`."""
        return _fit(width, height, self.modes[-1].side_px)

    def in_words(self) -> str:
        """See `Billing`."""
        return "; ".join(f"{mode.tokens} up to {mode.side_px} px a side" for mode in self.modes)


AnyBilling = Annotated[Patches | Tiles | Crops | Flat | Modes | Area, Field(discriminator="formula")]


def _fit(width: int, height: int, side: int) -> tuple[int, int]:
    """Returns the size scaled down to fit a square of `side`."""
    long = max(width, height)
    return (width, height) if long <= side else (max(1, width * side // long), max(1, height * side // long))
