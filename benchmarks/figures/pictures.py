"""The pictures of the documentation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.context.plot import plot as plot_context
from benchmarks.relevance.plot import plot as plot_relevance
from foxing.api.demo.conversation import demo_conversation
from foxing.encoder import Codec, Reading, VisionTokens, load_codec
from foxing.encoder.annotation import annotate_page
from foxing.encoder.bench.comparison import kept_of_messages
from foxing.encoder.drawing import PageDrawer
from foxing.memory.ingest.salience import salience_in_bank
from foxing.renderer import DENSE_PAGE, Entry, Page, Typesetter, render
from foxing.renderer.page import BLANK, Cells

from .results import Results
from .runs import EMBEDDERS

#: Tiers that a page passes through as it ages.
SHOWN_TIERS = ("base", "small", "tiny", "micro")
#: Columns and rows at the top left of a page that are enlarged and shown beside the text read.
PART_CELLS = (52, 7)
CELL_PX = (8, 16)  # of the text and of the enlarged part
GAP_PX = 12
PAPER, FRAME = 255, 160
#: Messages of the demo to typeset; more than a page holds.
MESSAGES = 200


@dataclass(frozen=True)
class _ShownPage:
    """A page at a tier."""

    tier: str
    page: Page
    tokens: VisionTokens
    reading: Reading
    #: Share of the characters of its messages that is left.
    kept: float


def draw_pictures(results: Results, folder: Path) -> None:
    """Draws the plots of stored results, and a page at every tier, into `folder`."""
    if "context dense" in results and "context others" in results:
        rows = [row for name in ("context dense", "context others") for row in results[name]["context"]]
        plot_context(rows, folder / "context.svg")
    if "relevance use" in results and "relevance none" in results:
        plot_relevance([results[f"relevance {name}"]["relevance"] for name in EMBEDDERS], folder / "relevance.png")
    draw_tiers(folder / "tiers.png")


def draw_tiers(path: Path) -> None:
    """Draws a page as it ages: the whole page at each tier, then its beginning enlarged beside the text read there."""
    shown = _aged_pages(load_codec("native"), _demo_entries())
    part = (PART_CELLS[0] * CELL_PX[0], PART_CELLS[1] * CELL_PX[1])
    width = 2 * part[0] + GAP_PX
    overview = _overview(shown, width)
    step = CELL_PX[1] + part[1] + GAP_PX
    picture = Image.new("L", (width, overview.height + GAP_PX + step * len(shown) - GAP_PX), PAPER)
    picture.paste(overview, (0, 0))
    for number, page in enumerate(shown):
        top, right = overview.height + GAP_PX + number * step, part[0] + GAP_PX
        picture.paste(_text(f"{page.tier}, enlarged"), (0, top))
        picture.paste(_text(f"read at {page.tier}: {page.kept:.0%} of the text"), (right, top))
        picture.paste(_enlarged(page).resize(part, Image.Resampling.NEAREST), (0, top + CELL_PX[1]))
        picture.paste(_as_text(page.reading.cells), (right, top + CELL_PX[1]))
    picture.save(path, optimize=True)


def _overview(shown: Sequence[_ShownPage], width: int) -> Image.Image:
    """Whole pages side by side, each below its tier and size."""
    side = (width - GAP_PX * (len(shown) - 1)) // len(shown)
    picture = Image.new("L", (width, 2 * CELL_PX[1] + side), PAPER)
    for number, page in enumerate(shown):
        left = number * (side + GAP_PX)
        picture.paste(_text(f"{page.tier}: {page.page.rows_used} rows"), (left, 0))
        picture.paste(_text(f"{page.tokens.count} tokens, {len(page.tokens.data):,} B"), (left, CELL_PX[1]))
        image = render(page.page.cells, page.page.layout, page.tier)
        picture.paste(FRAME, (left, 2 * CELL_PX[1], left + side, 2 * CELL_PX[1] + side * image.height // image.width))
        box = (side - 2, side * image.height // image.width - 2)
        picture.paste(image.resize(box, Image.Resampling.LANCZOS), (left + 1, 2 * CELL_PX[1] + 1))
    return picture


def _enlarged(shown: _ShownPage) -> Image.Image:
    """The beginning of a page, as the codec sees it."""
    layout = shown.page.layout
    image = render(shown.page.cells, layout, shown.tier)
    columns, rows = PART_CELLS
    return image.crop((0, 0, round(image.width * columns / layout.columns), round(image.width * rows / layout.rows)))


def _as_text(cells: Cells) -> Image.Image:
    """Beginning of a grid at full size. `cells`: uint32 [rows, columns]."""
    columns, rows = PART_CELLS
    return render(cells[:rows], DENSE_PAGE, "large").crop((0, 0, columns * CELL_PX[0], rows * CELL_PX[1]))


def _text(line: str) -> Image.Image:
    """A line of text in the font of pages."""
    cells = np.full((1, DENSE_PAGE.columns), BLANK, dtype=np.uint32)
    cells[0, : len(line)] = [ord(character) for character in line]
    return render(cells, DENSE_PAGE, "large").crop((0, 0, len(line) * CELL_PX[0], CELL_PX[1]))


def _aged_pages(codec: Codec, entries: Sequence[Entry]) -> list[_ShownPage]:
    """The first page of `entries` at each of `SHOWN_TIERS`, drawn as in a bank of them."""
    page = Typesetter(codec.layout, codec.repertoire).page(entries)
    annotated = annotate_page(page, {entry.message_id: entry for entry in entries})
    texts = [message.entry.content for message in annotated.messages]
    annotated = replace(annotated, refinements=salience_in_bank(entry.content for entry in entries)(texts))
    shown = []
    for tier in SHOWN_TIERS:
        (drawn,) = PageDrawer(codec).draw([annotated], tier)
        reading = drawn.reading or codec.decode([drawn.tokens])[0]
        set_page = page if drawn.faded is None else drawn.faded.page
        shown.append(_ShownPage(tier, set_page, drawn.tokens, reading, kept_of_messages([page], [set_page], [reading])))
    return shown


def _demo_entries() -> list[Entry]:
    """The beginning of the demo's conversation."""
    return [
        Entry(
            message_id=str(number),
            role=message.role,
            content=message.text,
            created_at=message.created_at or datetime.now(UTC),
            thread=message.thread or "",
            name=message.name,
        )
        for number, message in enumerate(demo_conversation()[:MESSAGES])
    ]
