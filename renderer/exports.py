"""Exports of `foxing.renderer`: where each is defined."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .announcement import TOKEN_HEADER, Announcement
    from .clock import utc_now
    from .errors import FoxingError, LayoutError, ProblemKind, RenderError
    from .layout import DENSE_PAGE, PageLayout
    from .page import Page
    from .plugins import BrokenPlugin, Plugin, PluginError, Plugins
    from .progress import Progress
    from .raster import render
    from .readers import Readers
    from .tiers import Tier, all_tiers, tier_rank
    from .typeset import Entry, Typesetter

__all__ = [
    "DENSE_PAGE",
    "TOKEN_HEADER",
    "Announcement",
    "BrokenPlugin",
    "Entry",
    "FoxingError",
    "LayoutError",
    "Page",
    "PageLayout",
    "Plugin",
    "PluginError",
    "Plugins",
    "ProblemKind",
    "Progress",
    "Readers",
    "RenderError",
    "Tier",
    "Typesetter",
    "all_tiers",
    "render",
    "tier_rank",
    "utc_now",
]
