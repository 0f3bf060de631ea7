"""Exports of `foxing.renderer`: where each is defined."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .announcement import TOKEN_HEADER, Announcement
    from .atlas import Atlas, load_atlas
    from .breaks import Edge, cut_word_length, whole_word_range
    from .clock import utc_now
    from .confusables import Confusables, script_of
    from .errors import FoxingError, LayoutError, ProblemKind, RenderError
    from .layout import DENSE_PAGE, PRINTED_PAGE, PageLayout
    from .marks import GAP_MARK, MARKS, NEWLINE_MARK, RESERVED
    from .page import (
        BLANK,
        PADDING,
        WIDE_TAIL,
        Cells,
        Page,
        Placement,
        edges_of,
        grid_text,
        visible_cells,
        visible_text,
    )
    from .plugins import BrokenPlugin, Factories, Plugin, PluginError, Plugins
    from .progress import Progress
    from .raster import rasterize, render
    from .readers import Readers
    from .repertoire import Repertoire
    from .tiers import OWN_TIERS, TOKEN_SIDE_PX, Tier, all_tiers, tier_named, tier_rank
    from .transcription import Transcription, transcribe, transcribe_placements
    from .typeset import Entry, Typesetter, code_points, escape, remaining

__all__ = [
    "BLANK",
    "DENSE_PAGE",
    "GAP_MARK",
    "MARKS",
    "NEWLINE_MARK",
    "OWN_TIERS",
    "PADDING",
    "PRINTED_PAGE",
    "RESERVED",
    "TOKEN_HEADER",
    "TOKEN_SIDE_PX",
    "WIDE_TAIL",
    "Announcement",
    "Atlas",
    "BrokenPlugin",
    "Cells",
    "Confusables",
    "Edge",
    "Entry",
    "Factories",
    "FoxingError",
    "LayoutError",
    "Page",
    "PageLayout",
    "Placement",
    "Plugin",
    "PluginError",
    "Plugins",
    "ProblemKind",
    "Progress",
    "Readers",
    "RenderError",
    "Repertoire",
    "Tier",
    "Transcription",
    "Typesetter",
    "all_tiers",
    "code_points",
    "cut_word_length",
    "edges_of",
    "escape",
    "grid_text",
    "load_atlas",
    "rasterize",
    "remaining",
    "render",
    "script_of",
    "tier_named",
    "tier_rank",
    "transcribe",
    "transcribe_placements",
    "utc_now",
    "visible_cells",
    "visible_text",
    "whole_word_range",
]
