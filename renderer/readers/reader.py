"""Reader profiles: the type sizes, image limits and billing of the models that read recalled pages. Data:
`profiles.toml`."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from foxing.renderer.errors import FoxingError, LayoutError, ProblemKind, UnknownReader
from foxing.renderer.layout import BITMAP_CELLS_PX, MAX_SIDE_PX, FontName, PageLayout

from .billing import AnyBilling, Count

PROFILES = Path(__file__).with_name("profiles.toml")
#: Minimum share of texts read exactly for a type size to count as legible.
LEGIBLE_FROM = 0.95
#: What may follow a model's id without naming another model: a date or "latest".
_SAME_MODEL = re.compile(r"(?:[-@:](?:latest|\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}))?")
#: What follows a model's id in that of a later version or a variant.
_OTHER_MODEL = re.compile(r"[-.@:_].+")

Provider = Literal["anthropic", "openai", "gemini"]


class ReaderProfileError(FoxingError):
    """A reader profile is invalid, or the reader accepts no images."""

    kind = ProblemKind("invalid-input", 422, "The input is invalid")


_Date = date  # a field of this name hides it


class _Profile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TypeSize(_Profile):
    """Cell size in one font, with what a reader was measured to read of it."""

    width_px: Annotated[int, Field(ge=4, le=200)]
    height_px: Annotated[int, Field(ge=4, le=400)]
    font: FontName = "dejavu-sans-mono"
    #: Columns of text and rows of the page on which it was measured, and of the pages drawn in it. None: the shape with
    #: the most cells per billed token.
    columns: Annotated[int, Field(ge=8, le=MAX_SIDE_PX)] | None = None
    rows: Annotated[int, Field(ge=1, le=MAX_SIDE_PX)] | None = None
    #: Share of texts that the reader read exactly, in [0, 1]; None: not measured.
    exact: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Share of identifiers read exactly; None: not measured.
    identifiers: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Silent errors (characters read as others, without a sign of doubt) per character; None: not measured.
    silent: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Share of identifiers read wrongly without a sign of doubt; None: not measured.
    silent_identifiers: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Number of identifiers and texts behind these shares; None: not known.
    n: Annotated[int, Field(ge=1)] | None = None
    #: Share of texts in full-width scripts (Chinese, Japanese, Korean) read exactly; None: not measured, and such text
    #: is not drawn.
    full_width: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Why the size is not used although it may be read; None if it may be used.
    refused: str | None = None
    #: Origin and date of the measurement; None: those of the reader.
    source: str | None = None
    date: _Date | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        cell = BITMAP_CELLS_PX.get(self.font, (self.width_px, self.height_px))
        if (self.width_px, self.height_px) != cell:
            raise ValueError(f"the font {self.font} has cells of {cell[0]} × {cell[1]} px")
        if self.identifiers is not None and self.identifiers + (self.silent_identifiers or 0) > 1:
            raise ValueError("identifiers that are read exactly and those that are misread are more than all")
        if (self.columns is None) != (self.rows is None):
            raise ValueError("give both columns and rows, or neither")
        return self

    @property
    def area_px(self) -> int:
        """Area of a cell in px²."""
        return self.width_px * self.height_px

    @property
    def legible(self) -> bool:
        """True if it may be used: it is not refused, and was read or not measured."""
        return self.refused is None and (self.exact is None or self.exact >= LEGIBLE_FROM)

    @property
    def carries_identifiers(self) -> bool:
        """True if no identifier was misread without a sign of doubt, so that an image may be relied on for them. Not
        measured counts as no."""
        return self.silent_identifiers == 0 or (self.silent_identifiers is None and self.silent == 0)

    @property
    def reads_full_width(self) -> bool:
        """True if full-width scripts were read."""
        return self.full_width is not None and self.full_width >= LEGIBLE_FROM


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
    #: Ids of the models that it was measured with. An id matches whole, with a date or "latest" after it, and with
    #: vendors before it ("vendor/model").
    models: tuple[str, ...] = ()
    #: What to tell who uses it; None: nothing.
    note: str | None = None
    #: None for a text-only model.
    limits: Limits | None = None
    billing: AnyBilling | None = None
    billing_date: date | None = None
    billing_source: str | None = None
    #: Detail that the request asks for with each image, where the provider is OpenAI; the billing is of this detail.
    detail: Literal["high", "original"] = "high"
    #: What Anthropic is asked to do with an image that it would scale down: refuse it. None: nothing is asked.
    oversized_image: Literal["error"] | None = None
    #: What OpenAI is asked about the compression of images, which requests of its Responses API may say. None: nothing.
    context_compression: Literal["disabled"] | None = None
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

    @model_validator(mode="after")
    def _check(self) -> Self:
        limits = self.limits
        if (limits is None) != (self.billing is None):
            raise ValueError("give both limits and billing, or neither for a text-only model")
        if self.type and limits is None:
            raise ValueError("a type size needs limits and billing")
        for number, cell in enumerate(self.type):
            assert limits is not None
            assert self.billing is not None
            if cell.columns is None or cell.rows is None or not cell.legible:
                continue
            try:
                size = page_px(type_layout(cell))
            except LayoutError as error:
                raise ValueError(f"type {number}: {error}") from error
            if max(size) > limits.max_side_px or self.billing.scaled_size(*size) != size:
                raise ValueError(
                    f"type {number}: a page of {cell.columns} columns and {cell.rows} rows is {size[0]:,} × "
                    f"{size[1]:,} px, which the provider scales down; use fewer"
                )
        return self

    @cached_property
    def legible(self) -> TypeSize | None:
        """Smallest type size that it reads; a size without a measurement counts as legible. None if there is none."""
        return min((cell for cell in self.type if cell.legible), key=lambda cell: cell.area_px, default=None)

    @property
    def carries_identifiers(self) -> bool:
        """See `TypeSize.carries_identifiers`; of the type that is used."""
        return self.legible is not None and self.legible.carries_identifiers

    @property
    def formula(self) -> str:
        """Billing formula for an image, for people; empty for a text-only model."""
        return self.billing.in_words() if self.billing is not None else ""


#: Margins in px, left and above, of pages in a bitmap font for readers: what pages had on which these were measured.
#: The right margin is the last column, which holds no ink, and the bottom margin equals the top one.
BITMAP_MARGIN_PX = (3, 4)
#: Margin in blank cells around the text of other pages that are not dense.
MARGIN_CELLS = 1


def type_layout(cell: TypeSize, *, dense: bool = False) -> PageLayout:
    """Returns the layout of a page of a type size whose shape is known, with the column that holds no ink. Raises
    `LayoutError` if it is invalid."""
    assert cell.columns is not None
    assert cell.rows is not None
    return PageLayout(
        columns=cell.columns + (not dense),
        rows=cell.rows,
        cell_width_px=cell.width_px,
        cell_height_px=cell.height_px,
        font=cell.font,
        wrap="cells" if dense else "words",
    )


def margin_px(layout: PageLayout) -> tuple[int, int]:
    """Returns the left and the top margin of a page image in px; the bottom margin equals the top one."""
    if layout.wrap == "cells":
        return 0, 0
    if layout.font in BITMAP_CELLS_PX:
        return BITMAP_MARGIN_PX
    return MARGIN_CELLS * layout.cell_width_px, MARGIN_CELLS * layout.cell_height_px


def page_px(layout: PageLayout, rows: int | None = None) -> tuple[int, int]:
    """Returns the width and height in px of a page image of `rows` rows (all by default), margins included."""
    left, above = margin_px(layout)
    height = layout.rows if rows is None else rows
    return layout.columns * layout.cell_width_px + left, height * layout.cell_height_px + 2 * above


class Readers(Mapping[str, Reader]):
    """Packaged and added reader profiles, by name. Look-up takes ids of models as well, see `Reader.models`."""

    def __init__(self, added: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`added`: name → profile, as in `profiles.toml`, or `{"assume": name}`, which takes another profile as it is,
        with the fields beside it changed; overrides a packaged one of the same name or model. Raises
        `ReaderProfileError`, also for a model of two added profiles."""
        self._readers = dict(packaged_readers())
        own = dict(added or {})
        for name in own:
            self._readers[name] = _reader(name, _assumed(name, own, self._readers))
        mine = [self._readers[name] for name in own]
        others = (reader for name, reader in packaged_readers().items() if name not in own)
        self._own_models = _by_model(mine, names=False)
        self._models = _by_model(others) | _by_model(mine)

    def __getitem__(self, name: str) -> Reader:
        """Returns the profile called `name`, or the one of the model with the id `name`. For a later version or a
        variant of a known model, it is a text-only profile with a note. Raises `UnknownReader`, which suggests the
        nearest names."""
        reader = self._own_models.get(_model_id(name)) or self._readers.get(name) or self._of_model(name)
        if reader is None:
            similar = get_close_matches(name, self._readers, n=3, cutoff=0.5)
            names = f"known readers: {', '.join(self._readers)}"
            advice = f"did you mean {' or '.join(map(repr, similar))}?" if similar else names
            raise UnknownReader(f"unknown reader '{name}'; {advice}")
        return reader

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)

    def _of_model(self, name: str) -> Reader | None:
        model = _model_id(name)
        for prefix, reader in self._models.items():
            if model.startswith(prefix) and _SAME_MODEL.fullmatch(model[len(prefix) :]):
                return reader
        for prefix, reader in sorted(self._models.items(), key=lambda item: -len(item[0])):
            if model.startswith(prefix) and _OTHER_MODEL.fullmatch(model[len(prefix) :]):
                return _unmeasured(name, prefix, reader)
        return None


def _model_id(name: str) -> str:
    """Returns the id of a model without the vendors before it."""
    return name.lower().rpartition("/")[2]


def _by_model(readers: Iterable[Reader], *, names: bool = True) -> dict[str, Reader]:
    """Returns id of a model → its profile. `names`: whether names of profiles are ids too. Raises `ReaderProfileError`
    for an id that several have."""
    by_model: dict[str, Reader] = {}
    for reader in readers:
        for model in map(_model_id, (reader.name, *reader.models) if names else reader.models):
            if (other := by_model.setdefault(model, reader)) is not reader:
                raise ReaderProfileError(
                    f"reader '{reader.name}': models: the model '{model}' is also one of the reader '{other.name}'; "
                    "remove it from one of them"
                )
    return by_model


def _unmeasured(name: str, measured: str, like: Reader) -> Reader:
    """Returns the text-only profile of a model that resembles a known one."""
    return Reader(
        name=name,
        title=f"{name}, which nobody measured",
        provider=like.provider,
        note=f"'{name}' is another model than '{measured}' and was not measured, so it is given text alone; run foxing "
        f'calibrate, or set assume = "{like.name}" in [readers."{name}"]',
    )


def _assumed(
    name: str, own: Mapping[str, Mapping[str, Any]], readers: Mapping[str, Reader], seen: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    """Returns the fields of an added profile, with those of the profile that it assumes. Raises
    `ReaderProfileError`."""
    fields = own[name]
    base = fields.get("assume")
    if base is None:
        return fields
    if base in (name, *seen) and not (base == name and name in packaged_readers()):
        raise ReaderProfileError(f"reader '{name}': assume: '{base}' assumes it in turn; name a measured reader")
    if base in own and base != name:
        assumed = _assumed(base, own, readers, (*seen, name))
    elif base in packaged_readers():
        assumed = packaged_readers()[base].model_dump(exclude_unset=True, exclude={"name"})
    else:
        raise ReaderProfileError(
            f"reader '{name}': assume: there is no reader '{base}'; name one of {', '.join(readers)}"
        )
    changed = {key: value for key, value in fields.items() if key != "assume"}
    return {**assumed, "models": (), **changed}


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
