"""Characters with the same glyph: what a page reads as, and what the typesetter escapes so that it reads as written."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foxing.encoder.native.charset import load_charset
from foxing.renderer import DENSE_PAGE, Entry, Page, PageLayout, Typesetter
from foxing.renderer.atlas import load_atlas
from foxing.renderer.confusables import Confusables, script_of
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.page import Cells
from foxing.renderer.repertoire import Repertoire
from foxing.renderer.transcription import transcribe
from foxing.renderer.typeset import code_points

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
REPERTOIRE = load_charset().repertoire
CONFUSABLES = load_charset().confusables
#: Letters of several scripts that look the same, by glyph.
GROUPS = [
    *("AΑА", "BΒВ", "CС", "EΕЕ", "HΗН", "IΙІ", "KΚ", "MΜМ", "NΝ", "OΟО", "PΡР", "TΤТ", "XΧХ", "YΥ", "ZΖ"),
    *("aа", "cс", "eе", "iі", "jј", "oοо", "pр", "xх", "èѐ", "ëё", "ËЁ", "ÏΪЇ", "ħћ", "ŸΫ"),
]
LOOK_ALIKES = "".join(GROUPS)
TEXTS = st.text(
    st.one_of(
        st.sampled_from(LOOK_ALIKES),
        st.sampled_from("дюλωqщ -_`'1C▶◆¶⟦⟧⟨A410\n\t가漢‐−\u00a0\u0405"),
        st.characters(max_codepoint=0xFFFF),
    ),
    max_size=60,
)
ESCAPE_OPEN = "⟦"


def entry(content: str, **fields: str) -> Entry:
    return Entry("m", fields.get("role", "user"), content, AT, fields.get("thread", "t"), fields.get("name"))


def typeset(content: str, **fields: str) -> Page:
    return Typesetter(repertoire=REPERTOIRE).page([entry(content, **fields)])


def escapes(content: str) -> int:
    return typeset(content).text.count(ESCAPE_OPEN)


def swapped(cells: Cells, generator: random.Random) -> Cells:
    """`cells` with random characters of the same glyph."""
    others = {ord(c): [ord(other) for other in group] for group in GROUPS for c in group}
    flat = [generator.choice(others.get(point, [point])) for point in cells.reshape(-1).tolist()]
    return np.array(flat, dtype=np.uint32).reshape(cells.shape)


def read_back(pages: Sequence[Page], seed: int = 0) -> str:
    """The text of the pages of one message, of which only the shapes are known."""
    generator = random.Random(seed)
    parts = []
    for page in pages:
        cells = CONFUSABLES.canonical(swapped(page.cells, generator))
        assert np.array_equal(cells, page.cells)
        flat = cells.reshape(-1)
        parts += [transcribe(flat[s.start : s.stop], layout=page.layout, start=s.start).text for s in page.placements]
    return "".join(parts)


def test_letters_that_look_the_same_are_those_of_the_glyphs() -> None:
    drawings = [{load_atlas().drawing(letter) for letter in group} for group in GROUPS]
    assert all(len(drawing) == 1 for drawing in drawings)
    by_glyph: dict[bytes, int] = {}
    for character in filter(lambda c: script_of(c) >= 0, load_charset().characters):
        by_glyph[load_atlas().drawing(character)] = by_glyph.get(load_atlas().drawing(character), 0) + 1
    assert sum(count > 1 for count in by_glyph.values()) == len(GROUPS)


@given(TEXTS, st.integers(0, 1000))
def test_any_text_survives_although_only_its_shapes_are_read(text: str, seed: int) -> None:
    pages = Typesetter(repertoire=REPERTOIRE).pages([entry(text)])
    assert read_back(pages, seed) == text


@pytest.mark.parametrize("newline", ["mark", "break"])
@given(text=TEXTS, seed=st.integers(0, 1000))
def test_any_text_survives_on_small_pages_that_cut_words(newline: str, text: str, seed: int) -> None:
    layout = PageLayout(columns=16, rows=6, newline=newline)
    pages = Typesetter(layout, REPERTOIRE).pages([entry(text, thread="")])
    assert read_back(pages, seed) == text


@given(st.lists(TEXTS, min_size=2, max_size=4), st.integers(0, 1000))
def test_the_reading_of_a_message_does_not_depend_on_others(texts: list[str], seed: int) -> None:
    entries = [Entry(str(n), "user", text, AT, "сорт" if n % 2 else "t", "Нора") for n, text in enumerate(texts)]
    page = Typesetter(repertoire=REPERTOIRE).page(entries)
    cells = page.cells.copy()
    first = page.placements[0]
    cells.reshape(-1)[first.start : first.stop] = 0x20  # as when it is erased
    assert np.array_equal(CONFUSABLES.canonical(swapped(cells, random.Random(seed))), cells)


@pytest.mark.slow
@given(TEXTS, st.integers(0, 1000))
def test_canonical_depends_on_shapes_alone_and_is_its_own_canonical(text: str, seed: int) -> None:
    cells = Typesetter(repertoire=Repertoire(REPERTOIRE.characters)).page([entry(text)]).cells
    canonical = CONFUSABLES.canonical(cells)
    assert np.array_equal(CONFUSABLES.canonical(swapped(cells, random.Random(seed))), canonical)
    assert np.array_equal(CONFUSABLES.canonical(canonical), canonical)


@pytest.mark.parametrize(
    "text",
    [
        "The cat sat on a mat. IP, HTTP and PC are OK in a café; naïve Ångström, Đà Nẵng.",
        "На столе лежал том о войне. Он сказал: «А я не пойду». Порт TCP занят, а HTTP работает.",
        "А со мной он не ехал\nНа обед суп и сок\nО да! Ну а ты?",
        "Той каза, че ще дойде на обяд. Това е моето място, а аз съм тук от сутринта.",
        "Їжак п'є чай о 14:30, ґанок ще мокрий. Я і він, а також вона і сестра.",
        "Ο Νίκος και η Μαρία πήγαν στο σχολείο. Το άφησα δίπλα. Να το! Ο πατέρας, Η Ελλάδα.",
        "ноћ љубав ја и ти, он је ту",
        "`cp -a {{путь/к/файлу}}` копирует файл; x86_64, `ls -p {{ip_адрес}}`",
        "会議は午後三時 Aさん 가나다 TCP",
    ],
)
def test_ordinary_texts_have_no_escapes(text: str) -> None:
    assert escapes(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        *("ΔT and μA", "γδT", "kΩ", "IPадрес", "VPNа нет", "HTTPный", "SMSка", "\u041d\u0430", "\u0441\u043e"),
        *("п\u006fд", "\u0421at", "\u0410 1 \u0410", "a1\u04302b\u0441", "\u0430", "A", "\u0391", "СССР", "НАТО"),
        *("\u0410\u0412\u0421 ABC \u0391\u0392\u0395", "x − y", "\u0405\u0455", "⟦\u0410⟧", "▶\u0410 ◆\u0421"),
    ],
)
def test_mixed_and_short_words_come_back(text: str) -> None:
    assert read_back([typeset(text)]) == text


def test_only_the_letters_that_would_read_wrong_are_escaped() -> None:
    assert typeset("п\u006fд окном").text.endswith("п⟦6F⟧д окном")
    assert typeset("\u0421at").text.endswith("⟦421⟧at")
    assert typeset("x − y").text.endswith("x ⟦2212⟧ y")


def test_words_continue_in_the_next_row() -> None:
    header = typeset("").text
    text = "." * (DENSE_PAGE.columns - len(header) - 3) + "подоконник"
    page = typeset(text)
    assert page.rows_used == 2
    assert ESCAPE_OPEN not in page.text
    assert read_back([page]) == text


def test_names_and_threads_in_headers_read_as_written() -> None:
    page = typeset("да", role="\u0441\u043e\u043d", name="\u0410\u043d\u043d\u0430 Cat", thread="\u0421\u0421\u0421")
    assert np.array_equal(CONFUSABLES.canonical(swapped(page.cells, random.Random(1))), page.cells)
    shown = transcribe(page.cells[0, : page.placements[0].start]).text
    assert shown.startswith("◆\u0421\u0421\u0421 ▶\u0441\u043e\u043d \u0410\u043d\u043d\u0430 Cat ")


def test_a_page_of_look_alikes_comes_back_from_its_shapes() -> None:
    generator = random.Random(7)
    words = ("".join(generator.choices(LOOK_ALIKES, k=generator.randint(1, 9))) for _ in range(3000))
    text = " ".join(words)[:12_000]
    pages = Typesetter(repertoire=REPERTOIRE).pages([entry(text)])
    assert read_back(pages) == text


@pytest.mark.slow
def test_a_message_whose_cut_changes_its_reading_every_time_still_ends() -> None:
    text = "".join(f"{'А' * n} " for n in range(1, 40)) + "дом"
    for rows in range(2, 8):
        layout = PageLayout(columns=16, rows=rows)
        assert read_back(Typesetter(layout, REPERTOIRE).pages([entry(text, thread="")])) == text


def test_other_repertoires_are_typeset_as_before() -> None:
    text = "п\u006fд \u0421at ΔT \u0410\u0412\u0421 x − y"
    assert ESCAPE_OPEN not in Typesetter(PRINTED_PAGE).page([entry(text)]).text
    assert Repertoire().confusables is None
    assert ESCAPE_OPEN not in Typesetter(repertoire=Repertoire(REPERTOIRE.characters)).page([entry(text[:-5])]).text


def test_signs_that_look_the_same_read_as_the_first_and_the_others_are_escaped() -> None:
    characters = "0123456789ABCDEF ¶⇥▒⟦⟧⋯▶◆abc-\u2010"
    repertoire = Repertoire(characters, confusables=True)
    page = Typesetter(repertoire=repertoire).page([entry("a-b\u2010ca", role="a", thread="")])
    assert page.text.endswith("a-b⟦2010⟧ca")
    assert Confusables(characters).canonical(code_points("\u2010\u0410")).tolist() == [0x2D, 0x41]


@pytest.mark.parametrize("page", [np.zeros((0, 160), np.uint32), np.full((4, 160), 0xFFFD, np.uint32)])
def test_pages_without_words_are_unchanged(page: Cells) -> None:
    assert np.array_equal(CONFUSABLES.canonical(page), page)


def test_an_ambiguous_letter_is_no_surer_than_the_letters_that_decide_its_script() -> None:
    cells = code_points("пoд Αuτή oo")
    sure = np.ones(len(cells), dtype=np.float32)
    sure[0], sure[2], sure[5] = 0.3, 0.6, 0.2
    certainty = CONFUSABLES.certainty(cells, sure)
    assert certainty[1] == np.float32(0.6)  # as sure as the surer of п and д, which agree
    assert certainty[4] == np.float32(0.2)  # u and τ do not agree
    assert certainty[-2:].tolist() == [1, 1]
