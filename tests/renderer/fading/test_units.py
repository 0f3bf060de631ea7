"""Formulas, rows of tables, edges of diagrams and labels of images fade as a whole or not at all."""

from datetime import UTC, datetime

import numpy as np
import pytest

from foxing.renderer import Entry, Typesetter
from foxing.renderer.fading import MessageWords, fade, text_salience, words_of
from foxing.renderer.fading.units import units_of

AT = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
UNITS = [
    r"$E = mc^2 + \alpha_0$",
    r"$$\int_0^\infty e^{-x} dx = 1$$",
    r"\(a_{ij} \le b\)",
    "\\[x = \\frac{1}{2}\\]",
    "\\begin{align}\na &= b\n\\end{align}",
    "| Titan | 14 March | late |",
    "Gateway --> Ledger",
    "A -->|yes| B[Ship it]",
    "Alice->>Bob: Are the crates there?",
    "│ Gateway │──▶│ Ledger │",
    '■ image 1, 1000x600 px, crane.jpg: "A bent crane"',
]


def units_in(text: str) -> list[str]:
    words = words_of(text)
    units = units_of(text, words)
    found = []
    for number in range(int(units.max(initial=-1)) + 1):
        of_unit = [words[place] for place in np.flatnonzero(units == number)]
        found.append(text[of_unit[0].start : of_unit[-1].stop])
    return found


@pytest.mark.parametrize("unit", UNITS)
def test_notation_is_found(unit: str) -> None:
    text = f"What we wrote down yesterday:\n{unit}\nand then we left."
    [found] = units_in(text)
    assert found.strip("$\\()[] |") == unit.strip("$\\()[] |")


@pytest.mark.parametrize(
    "text",
    ["It cost $5 and then $7 more.", "We met - as always - at noon.", "a | b", "He said: no --- and left.", "x = 5"],
)
def test_prose_is_not(text: str) -> None:
    assert units_in(text) == []


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_kept_whole_or_fades_whole(unit: str) -> None:
    before = "We walked along the river for a long while and spoke about the weather and about nothing in particular."
    content = f"{before}\n{unit}\nAfterwards everyone seemed rather tired, so that hardly anyone stayed for the music."
    words = words_of(content)
    bits = np.array([8.0 * (word.stop - word.start) for word in words])
    message = MessageWords(Entry("m", "user", content, AT, "t", "Ann"), words, bits)
    whole = units_of(content, words) >= 0
    assert whole.any()
    seen = set()
    for capacity in range(5, len(content) + 40, 7):
        page = fade(
            [message],
            text_salience([message]),
            capacity,
            lambda entries: max(span.stop for span in Typesetter().page(entries).placements),
        )
        [kept] = page.kept
        assert len(set(kept[whole].tolist())) == 1, page.texts[0].text
        seen.add(bool(kept[whole][0]))
    assert seen == {True, False}


def test_a_unit_with_a_gap_is_none() -> None:
    text = "| Titan | ⋯ | late |"
    assert (units_of(text, words_of(text, [10]), [10]) < 0).all()
