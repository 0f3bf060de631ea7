"""Counts of faded words."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.memory.values.reports import WordCount, WordCounts
from foxing.renderer.fading import FadedText, words_with_facts
from foxing.renderer.typeset import code_points


def word_counts(texts: Sequence[str], faded_texts: Sequence[FadedText] | None) -> WordCounts:
    """Returns the number of facts and of other words in `texts` of a page, and how many remain in `faded_texts` (None:
    all)."""
    counts = {True: [0, 0], False: [0, 0]}
    for number, text in enumerate(texts):
        stays = np.ones(len(text), dtype=bool) if faded_texts is None else kept_characters(text, faded_texts[number])
        for word, fact in words_with_facts(text):
            counts[fact][0] += 1
            counts[fact][1] += bool(stays[word.start : word.stop].all())
    names = {"facts": counts[True], "other_words": counts[False]}
    return {name: WordCount(words=words, kept=remaining) for name, (words, remaining) in names.items() if words}


def kept_characters(text: str, faded_text: FadedText) -> npt.NDArray[np.bool_]:
    """Returns bool[characters of `text`], True for those that remain in `faded_text`."""
    stays = np.zeros(len(text), dtype=bool)
    same = (
        code_points(faded_text.text) == code_points(text)[faded_text.origin]
    )  # blanks next to a gap replace faded text
    same[list(faded_text.gaps)] = False
    stays[faded_text.origin[same]] = True
    return stays
