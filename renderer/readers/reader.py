"""Readers: models that may look at page images, what they read and what they bill. Numbers: `profiles.toml`."""

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
#: Type of which less than this share of texts was read exactly is not used.
LEGIBLE_FROM = 0.95

Provider = Literal["anthropic", "openai", "gemini"]


class UnknownReader(FoxingError):
    """There is no reader of this name."""

    kind = ProblemKind("unknown-reader", 422, "There is no such reader")


class ReaderProfileError(FoxingError):
    """A reader that was added is not valid."""

    kind = ProblemKind("invalid-input", 422, "The input is invalid")


class _Profile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TypeSize(_Profile):
    """Cells of one size, in one font."""

    width_px: Annotated[int, Field(ge=4, le=200)]
    height_px: Annotated[int, Field(ge=4, le=400)]
    font: Literal["unifont", "dejavu-sans-mono"] = "dejavu-sans-mono"
    #: Share of texts that the reader read exactly; None: not measured.
    exact: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Share of identifiers that it read exactly, and silent errors for each character; None: not measured.
    identifiers: Annotated[float, Field(ge=0, le=1)] | None = None
    silent: Annotated[float, Field(ge=0, le=1)] | None = None

    @property
    def area_px(self) -> int:
        """Pixels of a cell."""
        return self.width_px * self.height_px


class ManyImages(_Profile):
    """A limit of requests with many images."""

    #: It holds for requests with more images than this.
    above: Count
    #: Longest side that an image may have then.
    max_side_px: Count


class Limits(_Profile):
    """What a provider accepts in one request."""

    #: Longest side of an image that is of use.
    max_side_px: Annotated[int, Field(ge=64, le=MAX_SIDE_PX)]
    max_images: Count
    max_image_bytes: Annotated[int, Field(ge=1)]
    max_request_bytes: Annotated[int, Field(ge=1)]
    #: None if it makes no difference how many there are.
    many_images: ManyImages | None = None


class Reader(_Profile):
    """A model that may look at page images."""

    name: str
    title: str
    #: Whose request bodies `context` writes by default.
    provider: Provider
    #: None for a model without eyes.
    limits: Limits | None = None
    billing: AnyBilling | None = None
    billing_date: date | None = None
    billing_source: str | None = None
    #: Prices of a million tokens, as `foxing calibrate` shows them; None: not known.
    prompt_price: Annotated[float, Field(ge=0)] | None = None
    completion_price: Annotated[float, Field(ge=0)] | None = None
    #: Whether it reads the dense page of our own codec, which uses every cell. Those of others have a margin, and rows
    #: that end with words.
    dense: bool = False
    #: What it was tried with.
    type: tuple[TypeSize, ...] = ()
    type_date: date | None = None
    type_source: str | None = None

    @property
    def accepts_images(self) -> bool:
        """Whether it looks at images at all, and reads some type."""
        return self.limits is not None and self.billing is not None and self.legible is not None

    @cached_property
    def legible(self) -> TypeSize | None:
        """The smallest type that it reads; type that was not measured is taken to be read. None if there is none."""
        read = [each for each in self.type if each.exact is None or each.exact >= LEGIBLE_FROM]
        return min(read, key=lambda each: each.area_px, default=None)

    @property
    def formula(self) -> str:
        """What it bills for an image, in words; empty if it sees none."""
        return self.billing.in_words() if self.billing is not None else ""


class Readers(Mapping[str, Reader]):
    """The readers that ship with Foxing and those that were added, by name."""

    def __init__(self, added: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`added`: name → profile, as in `profiles.toml`. Raises `ReaderProfileError`."""
        self._readers = dict(packaged_readers())
        for name, profile in (added or {}).items():
            self._readers[name] = _reader(name, profile)

    def __getitem__(self, name: str) -> Reader:
        """Raises `UnknownReader`, with the nearest names."""
        reader = self._readers.get(name)
        if reader is None:
            near = get_close_matches(name, self._readers, n=3, cutoff=0.5)
            advice = (
                f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(self._readers)}"
            )
            raise UnknownReader(f"there is no reader '{name}'; {advice}")
        return reader

    def __iter__(self) -> Any:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


@cache
def packaged_readers() -> Mapping[str, Reader]:
    """The readers of `profiles.toml`, by name."""
    with PROFILES.open("rb") as file:
        return {name: _reader(name, profile) for name, profile in tomllib.load(file).items()}


def _reader(name: str, profile: Mapping[str, Any]) -> Reader:
    try:
        return Reader.model_validate({"name": name, **profile})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the profile"
        raise ReaderProfileError(f"reader '{name}': {place}: {first['msg']}") from error
