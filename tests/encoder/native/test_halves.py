"""Codes of full-width characters, and conversion of pages to symbols and back."""

import random
from itertools import product

import numpy as np
import pytest

from foxing.encoder import CodecError
from foxing.encoder.contract import UNREADABLE
from foxing.encoder.native.charset import N_LEAD, N_TAIL, N_VOWEL, Charset, load_charset
from foxing.encoder.native.entropy.alphabet import N_SYMBOLS, Alphabet
from foxing.encoder.native.entropy.halves import N_LEFT, N_RIGHT, check_capacity, syllable_halves, wide_halves
from foxing.renderer.page import BLANK, WIDE_TAIL
from training.native.texts.synthetic import SyntheticText

CHARSET = load_charset()
FULL_WIDTH = len(CHARSET.wide) + len(CHARSET.rare_wide)


def test_every_full_width_character_has_its_own_halves() -> None:
    jamo = np.array(list(product(range(N_LEAD), range(N_VOWEL), range(N_TAIL))))
    pairs = [wide_halves(np.arange(FULL_WIDTH)), syllable_halves(*jamo.T)]
    codes = np.concatenate([np.stack(pair, axis=1) for pair in pairs])
    assert len(codes) == len(np.unique(codes, axis=0)) == FULL_WIDTH + N_LEAD * N_VOWEL * N_TAIL
    assert codes.min() >= 0
    assert (codes.max(axis=0) < [N_LEFT, N_RIGHT]).all()


def test_a_charset_with_more_characters_than_codes_is_rejected() -> None:
    crowded = Charset(common=CHARSET.common, rare="x" * 4000, wide="", rare_wide="")
    with pytest.raises(CodecError, match="more characters"):
        check_capacity(crowded)


@pytest.mark.parametrize("kind", ["identifiers", "ascii", "narrow", "full_width", "ideographs", "hangul", "record"])
def test_pages_survive_conversion_to_symbols(kind: str) -> None:
    text = SyntheticText(CHARSET, ["fox", "wall"], random.Random(4))
    cells = text.cells(getattr(text, kind), 24)
    alphabet = Alphabet(CHARSET)
    symbols, rare = alphabet.symbols(cells)
    assert symbols.max() < N_SYMBOLS
    assert (alphabet.cells(symbols, rare) == np.where(cells == BLANK, 0x20, cells)).all()


def test_halves_that_form_no_character_are_unreadable() -> None:
    alphabet = Alphabet(CHARSET)
    halves = np.array([[256 + left, right] for left in range(N_LEFT) for right in range(256)])
    cells = alphabet.cells(halves, np.zeros(halves.shape, dtype=np.int64))
    assert (cells[:, 1] == WIDE_TAIL).all()
    assert len(set(cells[:, 0].tolist()) - {UNREADABLE}) == FULL_WIDTH + N_LEAD * N_VOWEL * N_TAIL
    assert (cells[:, 0] == UNREADABLE).any()
