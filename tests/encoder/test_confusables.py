"""Characters with the same glyph are resolved by the rest of the word."""

import numpy as np
import pytest

from foxing.encoder.bench.documents import entries
from foxing.encoder.native.charset import load_charset
from foxing.encoder.native.confusables import ScriptResolver, script_of
from foxing.memory.pages.spans import transcribed
from foxing.renderer import DENSE_PAGE, Cells, Repertoire, Typesetter, load_atlas


@pytest.fixture(scope="module")
def resolver() -> ScriptResolver:
    charset = load_charset()
    return ScriptResolver(charset.common, charset.rare)


def resolved(resolver: ScriptResolver, text: str) -> str:
    cells = np.full((2, DENSE_PAGE.columns), 0x20, dtype=np.uint32)
    cells.reshape(-1)[: len(text)] = [ord(c) for c in text]
    return "".join(map(chr, resolver.resolve(cells).reshape(-1)[: len(text)]))


@pytest.mark.parametrize(
    ("read", "expected"),
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
def test_ambiguous_letters_take_the_script_of_the_others(resolver: ScriptResolver, read: str, expected: str) -> None:
    assert read != expected
    assert resolved(resolver, read) == expected


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
def test_deliberate_mixtures_of_scripts_are_unchanged(resolver: ScriptResolver, text: str) -> None:
    assert resolved(resolver, text) == text


@pytest.mark.parametrize("page", [np.zeros((0, 160), np.uint32), np.full((4, 160), 0xFFFD, np.uint32)])
def test_pages_without_words_are_unchanged(resolver: ScriptResolver, page: Cells) -> None:
    assert np.array_equal(resolver.resolve(page), page)


def test_one_of_several_identical_signs_is_read_and_the_others_are_escaped(resolver: ScriptResolver) -> None:
    charset = load_charset()
    assert resolved(resolver, "\u2212 \u2010 \u212a \u222a \u2032 \u00d0") == "– - K υ \u2032 Đ"
    page = Typesetter(repertoire=Repertoire(charset.characters)).page(
        entries([{"id": "t", "messages": [{"role": "user", "content": "x − y"}]}])
    )
    assert "⟦2212⟧" in page.text
    assert transcribed(page)[0].text == "x − y"
    glyphs = [load_atlas().drawing(c) for c in charset.characters if script_of(c) < 0]
    assert len(glyphs) == len(set(glyphs))


def test_words_continue_in_the_next_row(resolver: ScriptResolver) -> None:
    text = " " * (DENSE_PAGE.columns - 2) + "п\u006fдоконник"
    assert resolved(resolver, text).strip() == "подоконник"
