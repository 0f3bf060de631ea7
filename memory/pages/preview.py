"""Counts of faded words by class."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.memory.values.reports import WordCount, WordCounts
from foxing.renderer import code_points
from foxing.renderer.fading import FadedText, languages_of


def word_counts(texts: Sequence[str], left: Sequence[FadedText] | None) -> WordCounts:
    """Returns word class → number of words in `texts` of a page, and how many of them remain in `left` (None: all)."""
    from foxing.encoder.bench.word_classes import WordClass, classify, words_of

    total: Counter[WordClass] = Counter()
    kept: Counter[WordClass] = Counter()
    words = [words_of(text) for text in texts]
    language = next(iter(languages_of(word.text.lower() for part in words for word in part)), "")
    for number, (text, found) in enumerate(zip(texts, words, strict=True)):
        classes = classify(text, found, language)
        total.update(classes)
        stays = np.ones(len(text), dtype=bool) if left is None else kept_characters(text, left[number])
        kept.update(c for c, word in zip(classes, found, strict=True) if stays[word.start : word.stop].all())
    return {of.value: WordCount(words=total[of], kept=kept[of]) for of in WordClass if total[of]}


def kept_characters(text: str, left: FadedText) -> npt.NDArray[np.bool_]:
    """Returns bool[characters of `text`], True for those that remain in `left`."""
    stays = np.zeros(len(text), dtype=bool)
    same = code_points(left.text) == code_points(text)[left.origin]  # blanks next to a gap replace faded text
    same[list(left.gaps)] = False
    stays[left.origin[same]] = True
    return stays
