"""Letters that are drawn alike: the word says of which script they are."""

import numpy as np
import pytest

from foxing.encoder.bench.documents import entries
from foxing.encoder.native.charset import load_charset
from foxing.encoder.native.confusables import Scripts, script_of
from foxing.memory.pages.spans import transcribed
from foxing.renderer import DENSE_PAGE, Cells, Repertoire, Typesetter, load_atlas


@pytest.fixture(scope="module")
def scripts() -> Scripts:
    charset = load_charset()
    return Scripts(charset.common, charset.rare)


def settled(scripts: Scripts, text: str) -> str:
    cells = np.full((2, DENSE_PAGE.columns), 0x20, dtype=np.uint32)
    cells.reshape(-1)[: len(text)] = [ord(c) for c in text]
    return "".join(map(chr, scripts.settled(cells).reshape(-1)[: len(text)]))


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ("п\u006fд", "под"),
        ("\u0421at", "Cat"),
        ("λόγ\u006fς", "λόγος"),
        ("\u0041θήνα", "Αθήνα"),
        ("ФИ\u004f", "ФИО"),
        ("\u0048а столе", "На столе"),
        ("user 08:34 \u0048а столе", "user 08:34 На столе"),
        ("столе \u0048а", "столе На"),
        ("п\u006fд \u006fкном", "под окном"),
        ("\u0424\u0418\u004f \u041d\u0430", "ФИО На"),
        ("\u0054\u006f άφησα δίπλα", "Το άφησα δίπλα"),
        ("ότι \u006f λόγος", "ότι ο λόγος"),
        ("слово⟦\u04100⟧слово", "слово⟦A0⟧слово"),
    ],
)
def test_a_word_is_of_the_script_of_the_letters_that_can_be_told(scripts: Scripts, seen: str, meant: str) -> None:
    assert seen != meant
    assert settled(scripts, seen) == meant


@pytest.mark.parametrize(
    "text",
    [
        *(
            "the cat sat",
            "HTTP порт",
            "порт TCP занят",
            "A α B",
            "λόγος To be",
            "γάμμα",
            "Да, HTTP",
            "λ x",
            "日 А",
            "¶",
        ),
        *("ΔT and μA", "ΔΔCT", "γδT cells", "αβγABC", "μΔT", "ΔPΔT", "kΩ jω iħ", "ωτj"),
        *("HTTPный", "APIшка", "SIMка", "SMSка", "IPшник", "IPадрес", "XSSка", "CSSом", "SEOшник", "EXPECть"),
        *("VPNа нет", "DNSа", "по URLе", "у DHCPа", "COVIDный", "the SPAЦE", "EXPECт", "HTTPа"),
        *("Залил \u0048\u0430 GitHub", "Ångström naïve", "Đà Nẵng", "Їжа ёлка і", "ноћ љубав ја"),
    ],
)
def test_what_is_meant_to_be_mixed_stays(scripts: Scripts, text: str) -> None:
    assert settled(scripts, text) == text


@pytest.mark.parametrize("page", [np.zeros((0, 160), np.uint32), np.full((4, 160), 0xFFFD, np.uint32)])
def test_pages_without_words_stay(scripts: Scripts, page: Cells) -> None:
    assert np.array_equal(scripts.settled(page), page)


def test_of_signs_that_are_drawn_alike_one_is_read_and_the_others_are_escaped(scripts: Scripts) -> None:
    charset = load_charset()
    assert settled(scripts, "\u2212 \u2010 \u212a \u222a \u2032 \u00d0") == "– - K υ \u2032 Đ"
    page = Typesetter(repertoire=Repertoire(charset.characters)).page(
        entries([{"id": "t", "messages": [{"role": "user", "content": "x − y"}]}])
    )
    assert "⟦2212⟧" in page.text
    assert transcribed(page)[0].text == "x − y"
    drawn = [load_atlas().drawing(c) for c in charset.characters if script_of(c) < 0]
    assert len(drawn) == len(set(drawn))


def test_words_go_on_in_the_next_row(scripts: Scripts) -> None:
    text = " " * (DENSE_PAGE.columns - 2) + "п\u006fдоконник"
    assert settled(scripts, text).strip() == "подоконник"
