"""Excerpts of spans: some pieces of a text, with a mark where others are left out."""

import re
from collections.abc import Sequence

from foxing.memory.text.passages import Passage
from foxing.memory.values.messages import RecalledMessage

#: Stands in an excerpt for what is left out.
LEFT_OUT = " […] "
_RUN = re.compile(r"[#\w][\w./@:-]*+")
_DIGIT = re.compile(r"[\d△▽◇#_]")


def estimated_tokens(text: str) -> float:
    """Returns about how many text tokens a piece takes: a digit is one, and of other characters four."""
    digits = len(_DIGIT.findall(text))
    letters = len(text) - digits
    wide = 0 if text.isascii() else sum(character >= "\u1100" for character in text)
    return digits + 0.27 * (letters - wide) + 0.8 * wide


def identifiers_of(text: str) -> frozenset[str]:
    """Returns the words of a text that have a digit and at least four characters."""
    runs = (run.rstrip("./@:-") for run in _RUN.findall(text))
    return frozenset(run for run in runs if len(run) >= 4 and any(map(str.isdigit, run)))


def excerpt(span: RecalledMessage, pieces: Sequence[Passage]) -> RecalledMessage:
    """Returns `span` with the given pieces of its text, ascending; itself if they cover it."""
    runs: list[Passage] = []
    for piece in pieces:
        if runs and runs[-1].stop == piece.start:
            runs[-1] = Passage(runs[-1].start, piece.stop)
        else:
            runs.append(piece)
    whole = span.text
    if not runs or (runs[0].start == 0 and runs[0].stop == len(whole)):
        return span
    text, marks, gaps = "", [], []
    uncertain: list[tuple[int, int, float]] = []
    last = 0
    for run in runs:
        start = run.start + len(whole[run.start : run.stop]) - len(whole[run.start : run.stop].lstrip())
        stop = run.start + len(whole[run.start : run.stop].rstrip())
        if run.start > last:
            marks.append(len(text))
            text += LEFT_OUT if text else LEFT_OUT.lstrip()
        elif text:
            text += " "
        moved = len(text) - start
        gaps += [gap + moved for gap in span.gaps if start <= gap < stop]
        uncertain += [
            (max(a, start) + moved, min(b, stop) + moved, sure)
            for a, b, sure in span.uncertain
            if a < stop and b > start
        ]
        text += whole[start:stop]
        last = run.stop
    if last < len(whole):
        marks.append(len(text))
        text += LEFT_OUT.rstrip()
    offset = 0 if span.passage is None else span.passage[0]
    return span.model_copy(
        update={
            "text": text,
            "parts": None,
            "gaps": gaps,
            "uncertain": uncertain,
            "left_out": marks,
            "passage": (offset + runs[0].start, offset + runs[-1].stop),
        }
    )
