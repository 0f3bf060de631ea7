"""Letters that are drawn alike: the word says of which script they are."""

import numpy as np
import pytest

from foxing.encoder.native.charset import load_charset
from foxing.encoder.native.scripts import Scripts
from foxing.renderer import DENSE_PAGE


@pytest.fixture(scope="module")
def scripts() -> Scripts:
    return Scripts(load_charset().characters)


def settled(scripts: Scripts, text: str) -> str:
    cells = np.full((2, DENSE_PAGE.columns), 0x20, dtype=np.uint32)
    cells.reshape(-1)[: len(text)] = [ord(c) for c in text]
    return "".join(map(chr, scripts.settled(cells).reshape(-1)[: len(text)]))


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ("п\u006fд", "под"),
        ("\u0421at", "Cat"),
        ("\u0041θήνα", "Αθήνα"),
        ("\u0048а столе", "На столе"),
        ("user: \u0048а столе", "user: На столе"),
        ("столе \u0048а", "столе На"),
        ("п\u006fд \u006fкном", "под окном"),
    ],
)
def test_a_word_is_of_the_script_of_the_letters_that_can_be_told(scripts: Scripts, seen: str, meant: str) -> None:
    assert seen != meant
    assert settled(scripts, seen) == meant


@pytest.mark.parametrize(
    "text",
    [
        "the cat sat",
        "HTTP порт",
        "порт TCP занят",
        "ΔT and μA",
        "A α B",
        "Да, HTTP",
        "ёлка",
        "naïve",
        "λ x",
        "",
        "日 А",
    ],
)
def test_what_can_be_told_or_is_all_of_one_kind_stays(scripts: Scripts, text: str) -> None:
    assert settled(scripts, text) == text


def test_words_go_on_in_the_next_row(scripts: Scripts) -> None:
    text = " " * (DENSE_PAGE.columns - 2) + "п\u006fдоконник"
    assert settled(scripts, text).strip() == "подоконник"
