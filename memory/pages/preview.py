"""Counts of faded words by class."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.memory.values.reports import WordCount, WordCounts
from foxing.renderer import code_points
from foxing.renderer.fading import FadedText, languages_of


def word_counts(texts: Sequence[str], faded_texts: Sequence[FadedText] | None) -> WordCounts:
    """Returns word class → number of words in `texts` of a page, and how many remain in `faded_texts` (None: all)."""
    from foxing.encoder.bench.word_classes import WordClass, classify, words_of

    total: Counter[WordClass] = Counter()
    remaining: Counter[WordClass] = Counter()
    words = [words_of(text) for text in texts]
    language = next(iter(languages_of(word.text.lower() for part in words for word in part)), "")
    for number, (text, words_of_text) in enumerate(zip(texts, words, strict=True)):
        classes = classify(text, words_of_text, language)
        total.update(classes)
        stays = np.ones(len(text), dtype=bool) if faded_texts is None else kept_characters(text, faded_texts[number])
        remaining.update(
            c for c, word in zip(classes, words_of_text, strict=True) if stays[word.start : word.stop].all()
        )
    return {of.value: WordCount(words=total[of], kept=remaining[of]) for of in WordClass if total[of]}


def kept_characters(text: str, faded_text: FadedText) -> npt.NDArray[np.bool_]:
    """Returns bool[characters of `text`], True for those that remain in `faded_text`."""
    stays = np.zeros(len(text), dtype=bool)
    same = (
        code_points(faded_text.text) == code_points(text)[faded_text.origin]
    )  # blanks next to a gap replace faded text
    same[list(faded_text.gaps)] = False
    stays[faded_text.origin[same]] = True
    return stays
