"""Fading: choosing the words to keep on a page that cannot hold all of its messages, and the text that remains."""

from .bits import BITS_PER_CELL, CellCosts, isolated_bits, word_bits
from .facts import FactFinder, plain
from .fade import BYTES_PER_BIT, FACT, FadedPage, MessageWords, Size, fade
from .faded_text import FadedText, faded
from .frequencies import frequencies_of
from .languages import languages_of
from .salience import IsolatedBits, Salience, score_page, text_salience, words_with_facts
from .units import units_of
from .words import Word, is_punctuation, words_of

__all__ = [
    "BITS_PER_CELL",
    "BYTES_PER_BIT",
    "FACT",
    "CellCosts",
    "FactFinder",
    "FadedPage",
    "FadedText",
    "IsolatedBits",
    "MessageWords",
    "Salience",
    "Size",
    "Word",
    "fade",
    "faded",
    "frequencies_of",
    "is_punctuation",
    "isolated_bits",
    "languages_of",
    "plain",
    "score_page",
    "text_salience",
    "units_of",
    "word_bits",
    "words_of",
    "words_with_facts",
]
