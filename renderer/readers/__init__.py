"""Readers of page images: what they can read, what they bill, and pages laid out for them."""

from .billing import Billing, Crops, Flat, Modes, Patches, Tiles
from .reader import Reader, ReaderProfileError, Readers, Type, UnknownReader, packaged_readers
from .sheets import Sheet, margin_px, set_sheets, sheet_layout, sheet_of, sheet_px

__all__ = [
    "Billing",
    "Crops",
    "Flat",
    "Modes",
    "Patches",
    "Reader",
    "ReaderProfileError",
    "Readers",
    "Sheet",
    "Tiles",
    "Type",
    "UnknownReader",
    "margin_px",
    "packaged_readers",
    "set_sheets",
    "sheet_layout",
    "sheet_of",
    "sheet_px",
]
