"""The page of readers, from `foxing.renderer.readers`."""

from foxing.renderer.readers import Reader, image_px, packaged_readers, reader_layout
from foxing.renderer.readers.reader import LEGIBLE_FROM

from .markdown import table

HEAD = f"""\
<!-- Written by docs/generate.py; do not edit. -->
# Readers

A reader is a model that may look at page images. It decides in what type and shape pages are laid out for it
and its provider's formula says what an image costs. `foxing render FILE… --reader NAME` draws any text for
one.

A page image has the smallest type of which the reader is known to read at least {LEGIBLE_FROM:.0%} of texts exactly;
type that nobody measured is taken to be read, and the table says so. Of all shapes that the reader sees without scaling
them down, the one that holds the most cells for a token is used; a full-width character takes two cells. Around the
text is a margin of one cell, which is part of the image and of what is billed, and rows end between words where these
fit in a row, which leaves a few cells of each row blank. Only the dense page of our own codec uses every cell. English
has about 4.3 characters for a text token, so that a page image saves tokens only where a token holds more cells than
that.
"""
SOURCES_HEAD = """\
## Sources

Formulas change. Each is tested with the examples that its provider published or that others measured, and has a date.
"""
ADDING = """\
## Other readers

A table `[readers.NAME]` in `foxing.toml` adds a reader, or replaces one of these.
[Measure your own reader](../guides/readers.md) shows one, and how `foxing calibrate` makes it. `limits` may also have
`many_images = { above, max_side_px }`; `prompt_price` and `completion_price` are those of a million tokens. `billing`
has one of these formulas:
"""
COLUMNS = ("name", "reader", "type, px", "read exactly", "full page image, px", "tokens", "cells a token", "bills")
FORMULAS = (
    ("`patches`", "`side`, `max_side_px`, `max_patches`, `multiplier`", "⌈width/side⌉ · ⌈height/side⌉ · multiplier"),
    (
        "`tiles`",
        "`fit_px`, `short_side_px`, `tile_px`, `base`, `per_tile`",
        "base (may be 0) + per_tile · ⌈width/tile_px⌉ · ⌈height/tile_px⌉, scaled down to fit `fit_px`, then "
        "its shorter side to `short_side_px` (equal: no such limit)",
    ),
    ("`crops`", "`small_px`, `min_crop_px`, `max_crop_px`, `per_crop`", "per_crop · crops of ⌊shorter side/1.5⌋ px"),
    ("`flat`", "`per_image`", "the same for every image"),
    ("`modes`", "`modes = [{ side_px, tokens }, …]`", "those of the smallest square that holds the image"),
)


def readers_page() -> str:
    """Markdown: what each reader reads and bills, the sources, and how to add one."""
    readers = packaged_readers().values()
    seeing = [reader for reader in readers if reader.accepts_images]
    parts = [HEAD.strip(), table(COLUMNS, [_row(reader) for reader in seeing])]
    parts.append(_blind([reader for reader in readers if not reader.accepts_images]))
    sources = [_source(reader) for reader in seeing]
    parts += [SOURCES_HEAD.strip(), table(("name", "billing", "type"), sources), ADDING.strip()]
    parts.append(table(("formula", "fields", "tokens"), [list(row) for row in FORMULAS]))
    return "\n\n".join(parts) + "\n"


def _row(reader: Reader) -> list[str]:
    layout, cell = reader_layout(reader), reader.legible
    assert cell is not None
    assert reader.billing is not None
    width, height = image_px(layout, layout.rows)
    tokens = reader.billing.tokens(width, height)
    exact = "not measured" if cell.exact is None else f"{cell.exact:.1%}"
    shape = f"{width:,} × {height:,}"
    type_px = f"{cell.width_px} × {cell.height_px}"
    cells = f"{layout.ink_columns * layout.rows / tokens:.1f}"
    return [f"`{reader.name}`", reader.title, type_px, exact, shape, f"{tokens:,}", cells, reader.formula]


def _blind(readers: list[Reader]) -> str:
    return "".join(f"`{reader.name}`: {reader.title.lower()}, which is given text alone." for reader in readers)


def _source(reader: Reader) -> list[str]:
    billing = f"{reader.billing_source}, {reader.billing_date}"
    return [f"`{reader.name}`", billing, f"{reader.type_source}, {reader.type_date}" if reader.type_source else ""]
