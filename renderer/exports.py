"""What `foxing.renderer` exports; imports numpy and Pillow."""

from .atlas import Atlas, load_atlas
from .breaks import Edge, cut_run, uncut
from .confusables import Confusables, script_of
from .errors import FoxingError, LayoutError, RenderError
from .layout import DENSE_PAGE, PRINTED_PAGE, TIER_SIDES_PX, TIERS, TOKEN_SIDE_PX, PageLayout, tier_rank
from .page import (
    BLANK,
    GAP_MARK,
    MARKS,
    NEWLINE_MARK,
    PADDING,
    RESERVED,
    WIDE_TAIL,
    Cells,
    Page,
    Span,
    edges_of,
    grid_text,
    shown_cells,
    shown_text,
)
from .plugins import BrokenPlugin, Plugin, PluginError, Plugins
from .progress import Progress
from .raster import rasterize, render
from .repertoire import Repertoire
from .transcription import Transcription, transcribe, transcribe_spans
from .typeset import Entry, Typesetter, code_points, escape, remaining

__all__ = [
    "BLANK",
    "DENSE_PAGE",
    "GAP_MARK",
    "MARKS",
    "NEWLINE_MARK",
    "PADDING",
    "PRINTED_PAGE",
    "RESERVED",
    "TIERS",
    "TIER_SIDES_PX",
    "TOKEN_SIDE_PX",
    "WIDE_TAIL",
    "Atlas",
    "BrokenPlugin",
    "Cells",
    "Confusables",
    "Edge",
    "Entry",
    "FoxingError",
    "LayoutError",
    "Page",
    "PageLayout",
    "Plugin",
    "PluginError",
    "Plugins",
    "Progress",
    "RenderError",
    "Repertoire",
    "Span",
    "Transcription",
    "Typesetter",
    "code_points",
    "cut_run",
    "edges_of",
    "escape",
    "grid_text",
    "load_atlas",
    "rasterize",
    "remaining",
    "render",
    "script_of",
    "shown_cells",
    "shown_text",
    "tier_rank",
    "transcribe",
    "transcribe_spans",
    "uncut",
]
