"""Alignment of a model's text with the grid of the page, by the ink in the image, and maps of misread cells."""

from .ink_alignment import place_on_ink
from .misread import known_misread, misread_cells, misread_of, with_misread, without_confidence
from .page_ink import BLANK_CONFIDENCE, MISFIT, Confidence, Ink, ink_of, pack_ink, unpack_ink
from .untrusted_text import UNREAD_BELOW, mask_untrusted, without_markup

__all__ = [
    "BLANK_CONFIDENCE",
    "MISFIT",
    "UNREAD_BELOW",
    "Confidence",
    "Ink",
    "ink_of",
    "known_misread",
    "mask_untrusted",
    "misread_cells",
    "misread_of",
    "pack_ink",
    "place_on_ink",
    "unpack_ink",
    "with_misread",
    "without_confidence",
    "without_markup",
]
