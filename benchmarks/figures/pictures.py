"""The pictures of the documentation."""

from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageDraw

from foxing.api.demo.conversation import demo_conversation
from foxing.encoder import load_codec
from foxing.encoder.bench.plot import plot_curve
from foxing.renderer import DENSE_PAGE, TIERS, Entry, Page, PageLayout, Repertoire, Typesetter, render

from .document import Figures

PANELS_PER_ROW = 3
PANEL_CELLS = (44, 15)  # columns and rows of the page shown in a panel
PANEL_PX = (352, 240)
LABEL_PX = 18
GAP_PX = 8


def draw_pictures(figures: Figures, folder: Path) -> None:
    """Draws the curve, if it is measured, and the same part of a page at every tier, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in ("png", "svg"):
        if "codec" in figures:
            plot_curve(figures.codec, folder / f"curve.{suffix}", figures.rivals)
    draw_tiers(folder / "tiers.png")


def draw_tiers(path: Path) -> None:
    """Draws the same part of one page at every tier, a panel each."""
    codec = load_codec("native")
    page = _demo_page(codec.layout, codec.repertoire)
    width, height = PANEL_PX
    panel_width, panel_height = width + GAP_PX, height + LABEL_PX + GAP_PX
    rows = -(-len(TIERS) // PANELS_PER_ROW)
    sheet = Image.new("L", (panel_width * PANELS_PER_ROW - GAP_PX, panel_height * rows - GAP_PX), 255)
    pen = ImageDraw.Draw(sheet)
    for number, tier in enumerate(TIERS):
        image = render(page.cells, page.layout, tier)
        side = image.width
        columns, lines = PANEL_CELLS
        box = (0, 0, round(side * columns / DENSE_PAGE.columns), round(side * lines / DENSE_PAGE.rows))
        left, top = number % PANELS_PER_ROW * panel_width, number // PANELS_PER_ROW * panel_height
        spec = codec.tiers[tier]
        pen.text((left, top + 2), f"{tier}: {side} px, {spec.tokens} tokens, {spec.bytes_per_page:,} bytes", fill=0)
        sheet.paste(image.crop(box).resize((width, height), Image.Resampling.NEAREST), (left, top + LABEL_PX))
    sheet.save(path)


def _demo_page(layout: PageLayout, repertoire: Repertoire | None) -> Page:
    """A full page of the demo conversation."""
    entries = [
        Entry(
            message_id=str(number),
            role=message.role,
            content=message.text,
            created_at=message.created_at or datetime.now(UTC),
            thread=message.thread or "",
            name=message.name,
        )
        for number, message in enumerate(demo_conversation()[:200])
    ]
    return Typesetter(layout, repertoire).page(entries)
