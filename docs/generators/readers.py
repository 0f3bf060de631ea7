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

A table `[readers.NAME]` in `foxing.toml` adds a reader, or replaces one of these:

```toml
[readers.ours]
title = "Our model"
provider = "openai"                     # whose request bodies it takes: anthropic, openai or gemini
type = [{ width_px = 9, height_px = 18, font = "dejavu-sans-mono", exact = 0.97 }]
limits = { max_side_px = 2048, max_images = 20, max_image_bytes = 10000000, max_request_bytes = 50000000 }
billing = { formula = "patches", side = 32, max_side_px = 2048, max_patches = 1536, multiplier = 1.0 }
```

### Measuring one

```
FOXING_READER_API_KEY=… foxing calibrate --reader ours --base claude --url https://api.example.com/v1 --model MODEL \\
    --prompt-price 3 --completion-price 15
```

sends sample pages of ours, cells of 5 × 10 to 20 × 40 px, to an OpenAI- or Anthropic-compatible endpoint and measures
the share of sentences and of identifiers that are read exactly, silent errors (characters read as others, where the
model could have said that it cannot read them), and the tokens that the endpoint reports beside those of the formula.
Billing and limits are those of `--base`; limits that matter may be added to it: `many_images = { above, max_side_px
}`, `prompt_price` and `completion_price`. What it will cost is shown first, and alone with `--dry-run`. Answers are
kept in `ours.journal`, so that a run that was interrupted resumes; the profile is written to `ours.toml`, a table as
above. A size is used if at least 95 % of the sentences were read exactly.
"""
COLUMNS = ("name", "reader", "type, px", "read exactly", "full page image, px", "tokens", "cells a token", "bills")
FORMULAS = (
    ("`patches`", "`side`, `max_side_px`, `max_patches`, `multiplier`", "⌈width/side⌉ · ⌈height/side⌉ · multiplier"),
    ("`tiles`", "`fit_px`, `short_side_px`, `tile_px`, `base`, `per_tile`", "base + per_tile · tiles"),
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
