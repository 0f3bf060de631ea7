"""Reader profiles: the type sizes, image limits and billing of the models that read recalled pages. Data:
`profiles.toml`."""

import tomllib
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foxing.renderer.errors import FoxingError, ProblemKind
from foxing.renderer.layout import MAX_SIDE_PX

from .billing import AnyBilling, Count

PROFILES = Path(__file__).with_name("profiles.toml")
#: Minimum share of texts read exactly for a type size to count as legible.
LEGIBLE_FROM = 0.95

Provider = Literal["anthropic", "openai", "gemini"]


class UnknownReader(FoxingError):
    """No reader has the given name."""

    kind = ProblemKind("unknown-reader", 422, "Unknown reader")


class ReaderProfileError(FoxingError):
    """A reader profile is invalid, or the reader accepts no images."""

    kind = ProblemKind("invalid-input", 422, "The input is invalid")


class _Profile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TypeSize(_Profile):
    """Cell size in one font, with the accuracy measured at that size."""

    width_px: Annotated[int, Field(ge=4, le=200)]
    height_px: Annotated[int, Field(ge=4, le=400)]
    font: Literal["unifont", "dejavu-sans-mono"] = "dejavu-sans-mono"
    #: Share of texts that the reader read exactly, in [0, 1]; None: not measured.
    exact: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Share of identifiers read exactly, and silent errors per character; None: not measured.
    identifiers: Annotated[float, Field(ge=0, le=1)] | None = None
    silent: Annotated[float, Field(ge=0, le=1)] | None = None

    @property
    def area_px(self) -> int:
        """Area of a cell in px²."""
        return self.width_px * self.height_px


class ManyImages(_Profile):
    """Stricter limit for requests with many images."""

    #: The limit applies to requests with more images than this.
    above: Count
    #: Maximum side of an image in px.
    max_side_px: Count


class Limits(_Profile):
    """Limits of a provider for one request."""

    #: Maximum useful side of an image in px.
    max_side_px: Annotated[int, Field(ge=64, le=MAX_SIDE_PX)]
    max_images: Count
    max_image_bytes: Annotated[int, Field(ge=1)]
    max_request_bytes: Annotated[int, Field(ge=1)]
    #: Limit for requests with many images; None if there is none.
    many_images: ManyImages | None = None


class Reader(_Profile):
    """Profile of a model that reads recalled text or page images."""

    name: str
    title: str
    #: Provider whose request format `context` writes by default.
    provider: Provider
    #: None for a text-only model.
    limits: Limits | None = None
    billing: AnyBilling | None = None
    billing_date: date | None = None
    billing_source: str | None = None
    #: Price per million tokens, for the estimates of `foxing calibrate`; None: not known.
    prompt_price: Annotated[float, Field(ge=0)] | None = None
    completion_price: Annotated[float, Field(ge=0)] | None = None
    #: Whether it reads the dense page of the native codec, which uses every cell. Pages for other readers have margins
    #: and rows that end between words.
    dense: bool = False
    #: Type sizes it was tried with.
    type: tuple[TypeSize, ...] = ()
    type_date: date | None = None
    type_source: str | None = None

    @property
    def accepts_images(self) -> bool:
        """True if the model accepts images and has a legible type size."""
        return self.limits is not None and self.billing is not None and self.legible is not None

    @cached_property
    def legible(self) -> TypeSize | None:
        """Smallest type size that it reads; a size without a measurement counts as legible. None if there is none."""
        read = [each for each in self.type if each.exact is None or each.exact >= LEGIBLE_FROM]
        return min(read, key=lambda each: each.area_px, default=None)

    @property
    def formula(self) -> str:
        """Billing formula for an image, for people; empty for a text-only model."""
        return self.billing.in_words() if self.billing is not None else ""


class Readers(Mapping[str, Reader]):
    """Packaged and added reader profiles, by name."""

    def __init__(self, added: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`added`: name → profile, as in `profiles.toml`; overrides a packaged one. Raises `ReaderProfileError`."""
        self._readers = dict(packaged_readers())
        for name, profile in (added or {}).items():
            self._readers[name] = _reader(name, profile)

    def __getitem__(self, name: str) -> Reader:
        """Returns the profile called `name`. Raises `UnknownReader`, which suggests the nearest names."""
        reader = self._readers.get(name)
        if reader is None:
            near = get_close_matches(name, self._readers, n=3, cutoff=0.5)
            known = f"known readers: {', '.join(self._readers)}"
            advice = f"did you mean {' or '.join(map(repr, near))}?" if near else known
            raise UnknownReader(f"unknown reader '{name}'; {advice}")
        return reader

    def __iter__(self) -> Any:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


@cache
def packaged_readers() -> Mapping[str, Reader]:
    """Returns the profiles of `profiles.toml`, by name."""
    with PROFILES.open("rb") as file:
        return {name: _reader(name, profile) for name, profile in tomllib.load(file).items()}


def _reader(name: str, profile: Mapping[str, Any]) -> Reader:
    try:
        return Reader.model_validate({"name": name, **profile})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the profile"
        raise ReaderProfileError(f"reader '{name}': {place}: {first['msg']}") from error
