"""Removal of untrusted text and of markup that is not on the page from a model's output."""

import re

import numpy as np
import numpy.typing as npt

from foxing.encoder.contract import UNREADABLE
from foxing.renderer.page import Cells
from foxing.renderer.typeset import code_points

from .page_ink import Confidence

#: Minimum mean confidence; below it, the whole text counts as guessed.
UNREAD_BELOW = 0.25
#: Markup of positions in the answer to a grounding prompt: `<|ref|>text<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>`.
MARKUP = re.compile(r"<\|/?(?:ref|grounding)\|>|<\|det\|>[^<]*<\|/det\|>")


def mask_untrusted(
    text: str, confidence: Confidence, looped: npt.NDArray[np.bool_] | None = None
) -> tuple[str, Confidence]:
    """Replaces untrusted characters of `text` by `UNREADABLE`, and sets their confidence to 0.

    Untrusted are repetition loops (`looped`: bool[len(text)]), the whole text if the model guessed, and U+FFFD in the
    text. `confidence`: float32[len(text)]. Returns the text, of the same length, and its confidence.
    """
    points = code_points(text)
    untrusted = np.zeros(len(points), dtype=bool) if looped is None else looped.copy()
    visible = ~untrusted & (points > 0x20)
    if visible.any() and float(confidence[visible].mean()) < UNREAD_BELOW:
        untrusted |= points > 0x20
    untrusted |= points == UNREADABLE
    untrusted &= points != 0x0A
    return _string(np.where(untrusted, np.uint32(UNREADABLE), points)), np.where(untrusted, np.float32(0), confidence)


def without_markup(text: str, confidence: Confidence) -> tuple[str, Confidence]:
    """Returns `text` and its confidence without the positions that grounding prompts add."""
    keep = np.ones(len(text), dtype=bool)
    for match in MARKUP.finditer(text):
        keep[match.start() : match.end()] = False
    return _string(code_points(text)[keep]), confidence[keep]


def _string(points: Cells) -> str:
    return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
