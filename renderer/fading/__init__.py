"""Fading: which words of messages stay on a page that holds less than all of them, and what is left of the messages."""

from .bits import BITS_PER_CELL, CellCosts, bits_alone, word_bits
from .fade import BYTES_PER_BIT, FadedPage, Size, WrittenMessage, fade
from .faded_text import FadedText, faded
from .languages import languages_of
from .salience import Salience, SalienceScorer, plain, text_salience
from .words import Word, is_punctuation, words_of

__all__ = [
    "BITS_PER_CELL",
    "BYTES_PER_BIT",
    "CellCosts",
    "FadedPage",
    "FadedText",
    "Salience",
    "SalienceScorer",
    "Size",
    "Word",
    "WrittenMessage",
    "bits_alone",
    "fade",
    "faded",
    "is_punctuation",
    "languages_of",
    "plain",
    "text_salience",
    "word_bits",
    "words_of",
]
