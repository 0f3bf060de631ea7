"""The page of readers, from `foxing.renderer.readers`."""

import numpy as np

from foxing.renderer.readers import Reader, TypeSize, packaged_readers, page_px, reader_layout
from foxing.renderer.readers.reader import LEGIBLE_FROM
from foxing.renderer.type_proof import COMPARED, SIMILAR_PX, type_proof

from .markdown import table

HEAD = f"""\
<!-- Written by docs/generate.py; do not edit. -->
# Readers

A reader is a model that may look at page images. It decides in what type and shape pages are laid out for it
and its provider's formula says what an image costs. `foxing render FILE… --reader NAME` draws any text for
one.

A reader is named by its profile or by the id of its model: whole, with a date or `latest` after it, or with vendors
before it (`vendor/claude-fable-5`). A later version is another model, such as `claude-fable-5-1`: it is given text
alone, and the answer says so, until it is [measured](../guides/readers.md) or a profile says `assume`.

A page image has the smallest type of which the reader is known to read at least {LEGIBLE_FROM:.0%} of texts exactly;
type that nobody measured is taken to be read, and the table says so. Where a type was measured on pages of one shape,
that shape is used; of the others, the one that holds the most cells for a token among those that the reader sees
without scaling them down. A full-width character takes two cells. Around the text is a margin, which is part of the
image and of what is billed, and rows end between words where these fit in a row, which leaves a few cells of each row
blank. Only the dense page of our own codec uses every cell. English has about 4.3 characters for a text token, so
that a page image saves tokens only where a token holds more cells than that.

*Identifiers* are hashes, paths, numbers and names of code, of which a single character must not be wrong; *silent* is
the share of them that was read wrongly without a sign of doubt. A type carries identifiers only if that was measured
to be 0. Most samples are small: take these figures as a warning, not as a rate. A message whose letters the font
lacks, or in a full-width script (Chinese, Japanese, Korean) at a size at which nobody measured it, is given as text.
"""
REFUSED_HEAD = """\
## Sizes that are not used

These cost less, and were not read, or are not known to be.
"""
SIMILAR_HEAD = f"""\
## Characters that look alike

Pairs of ASCII characters, the blank among them, whose pictures differ by at most {SIMILAR_PX} px of ink in a type that
is used. Identifiers and numbers that hold one stand beside the image as text
([proof-reading](../explanation/context.md#proof-reading)).
"""
SOURCES_HEAD = """\
## Sources

Formulas change. Each is tested with the examples that its provider published or that others measured, and has a date.
"""
ADDING = """\
## Other readers

A table `[readers.NAME]` in `foxing.toml` adds a reader, or replaces one of these. [Measure your own
reader](../guides/readers.md) shows one, and how `foxing calibrate` makes it. `limits` may also have `many_images = {
above, max_side_px }`; `models` lists ids of
models, and a profile that is added wins over a packaged one of the same model. With `assume = "NAME"` a profile takes
all fields of another but those beside it, for a model that you trust to read as well. `billing` has one of these
formulas:
"""
COLUMNS = (
    *(
        "name",
        "reader",
        "type, px",
        "font",
        "read exactly",
        "identifiers",
        "silent",
        "n",
        "full page image, px",
        "tokens",
    ),
    *("cells a token", "bills"),
)
FORMULAS = (
    ("`patches`", "`side`, `max_side_px`, `max_patches`, `multiplier`", "⌈width/side⌉ · ⌈height/side⌉ · multiplier"),
    (
        "`tiles`",
        "`fit_px`, `short_side_px`, `tile_px`, `base`, `per_tile`",
        "base (may be 0) + per_tile · ⌈width/tile_px⌉ · ⌈height/tile_px⌉, scaled down to fit `fit_px`, then "
        "its shorter side to `short_side_px` (equal: no such limit)",
    ),
    ("`crops`", "`small_px`, `min_crop_px`, `max_crop_px`, `per_crop`", "per_crop · crops of ⌊shorter side/1.5⌋ px"),
    (
        "`flat`",
        "`per_image`, `measured = [{ width_px, height_px, tokens }, …]`",
        "the same for every image but those sizes",
    ),
    ("`area`", "`per_megapixel`, `max_side_px`", "per_megapixel · width · height / 1,000,000"),
    ("`modes`", "`modes = [{ side_px, tokens }, …]`", "those of the smallest square that holds the image"),
)


def readers_page() -> str:
    """Markdown: what each reader reads and bills, the sources, and how to add one."""
    readers = packaged_readers().values()
    seeing = [reader for reader in readers if reader.accepts_images]
    parts = [HEAD.strip(), table(COLUMNS, [_row(reader) for reader in seeing])]
    parts.append(_blind([reader for reader in readers if not reader.accepts_images]))
    refused = [_refusal(reader, each) for reader in seeing for each in reader.type if not each.legible]
    parts += [
        REFUSED_HEAD.strip(),
        table(("name", "type, px", "read exactly", "identifiers", "silent", "why"), refused),
    ]
    parts += [SIMILAR_HEAD.strip(), table(("type, px", "font", "pairs"), _similar(seeing))]
    sources = [_source(reader) for reader in seeing]
    parts += [SOURCES_HEAD.strip(), table(("name", "billing", "type"), sources), ADDING.strip()]
    parts.append(table(("formula", "fields", "tokens"), [list(row) for row in FORMULAS]))
    return "\n\n".join(parts) + "\n"


def _row(reader: Reader) -> list[str]:
    layout, cell = reader_layout(reader), reader.legible
    assert cell is not None
    assert reader.billing is not None
    width, height = page_px(layout, layout.rows)
    tokens = reader.billing.tokens(width, height)
    shape = f"{width:,} × {height:,}"
    cells = f"{layout.ink_columns * layout.rows / tokens:.1f}"
    read = [*_shares(cell), "" if cell.n is None else f"{cell.n:,}"]
    return [f"`{reader.name}`", reader.title, _px(cell), cell.font, *read, shape, f"{tokens:,}", cells, reader.formula]


#: Characters that a table shows by their names.
_NAMES = {" ": "blank", "`": "grave accent"}


def _similar(readers: list[Reader]) -> list[list[str]]:
    """Rows of the types of readers, with the pairs of ASCII characters that look alike in them."""
    rows: dict[tuple[str, str], list[str]] = {}
    for reader in readers:
        cell = reader.legible
        assert cell is not None
        if (key := (_px(cell), cell.font)) not in rows:
            proof = type_proof(np.array([[*map(ord, COMPARED)]], dtype=np.uint32), reader_layout(reader))
            pairs = {"".join(sorted((one, other))) for one, alike in proof.similar.items() for other in alike}
            shown = ", ".join(
                " ".join(_NAMES.get(character, character) for character in pair) for pair in sorted(pairs)
            )
            rows[key] = [*key, shown or "none"]
    return list(rows.values())


def _px(cell: TypeSize) -> str:
    return f"{cell.width_px} × {cell.height_px}"


def _shares(cell: TypeSize) -> list[str]:
    shares = (cell.exact, cell.identifiers, cell.silent_identifiers)
    return ["not measured" if share is None else f"{share:.1%}" for share in shares]


def _refusal(reader: Reader, cell: TypeSize) -> list[str]:
    why = cell.refused or f"fewer than {LEGIBLE_FROM:.0%} of texts are read exactly"
    return [f"`{reader.name}`", _px(cell), *_shares(cell), why]


def _blind(readers: list[Reader]) -> str:
    return "".join(f"`{reader.name}`: {reader.title.lower()}, which is given text alone." for reader in readers)


def _source(reader: Reader) -> list[str]:
    billing = f"{reader.billing_source}, {reader.billing_date}"
    cell = reader.legible
    assert cell is not None
    source, day = cell.source or reader.type_source, cell.date or reader.type_date
    return [f"`{reader.name}`", billing, f"{source}, {day}" if source else ""]
