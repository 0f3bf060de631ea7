"""Random text made of signs: folder trees, boxes, marked lists, formulas. Also alphabets of languages without a
corpus."""

import random
import unicodedata
from collections.abc import Callable

_VIETNAMESE = "".join(
    unicodedata.normalize("NFC", vowel + tone)
    for vowel in "aăâeêioôơuưy"
    for tone in ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
)
_PLAIN = "abcdefghijklmnopqrstuvwxyz"
#: Letters of one language each; letters outside a–z are listed twice.
ALPHABETS = (
    *(_PLAIN + 2 * more for more in ("çğıöşü", "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áéíóöőúüű", "ăâîșț", "áéíñóúü¿¡")),
    *(_PLAIN + 2 * more for more in ("ãáâàçéêíóôõú", "åäö", "æøå", "áæéíóöúýþð", "āčēģīķļņšūž", "ąčęėįšųūž", "čćđšž")),
    *(_PLAIN + 2 * more for more in ("àçèéêëîïôœùûü", "äöüß", "ĉĝĥĵŝŭ", "àèéìòù", "áäčďéíĺľňóôŕšťúýž", "õäöüšž")),
    "bcdđghklmnpqrstvx" + _VIETNAMESE,
    *(2 * ("αβγδεζηθικλμνξοπρσςτυφχψω" + "άέήίόύώϊ",)),
    *(2 * ("абвгдежзийклмнопрстуфхцчшщъыьэюяё",)),
    *("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", "абвгдђежзијклљмнњопрстћуфхцчџш", "абвгдежзийклмнопрстуфхцчшщъьюя"),
)
EMOJI = "😀😂😊😍🤔😢😭🙏👍👏🎉🔥🚀💡✅❌⭐⚠❤☀☕🍕🎵📷📅📌🔗🔒💬👋🙂😉😅🤷🏠🚗✈🌍🐛🔧📝📦⏰"
MARKS = "•◦▪▸►★☆✓✗✔✘☐☑☒→←↑↓⇒⇐↔⇔●○■□◆◇♦♥♠♣♪§¶†‡…·«»„“”‘’–—"
BOXES = ("┌─┬┐│├┼┤└┴┘", "╭─┬╮│├┼┤╰┴╯", "╔═╦╗║╠╬╣╚╩╝", "┏━┳┓┃┣╋┫┗┻┛", "+-++|++++++", "╒═╤╕│╞╪╡╘╧╛")
BARS = ("█░", "█▒", "▓░", "■□", "█▏", "#.", "▰▱", "●○")
GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
VARIABLES = "abcdefghijkmnpqrstuvxyzABCEFGHKLNPRSTVXYZ"
OPERATORS = "+−×÷·±∓=≠≈≡≤≥<>≪≫∈∉⊂⊆∩∧∨¬⇒⇔→↦∀∃∑∏∫√∂∇∞∝∥⊥∠∘⊕⊗ℝℕℤℚ"
SUPERSCRIPTS, SUBSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "₀₁₂₃₄₅₆₇₈₉₊₋ₙ"
UNITS = ("°C", "µm", "kΩ", "%", "‰", "€", "£", "¥", "½", "²", "m³", "μs", "′", "″", "×", "°")

Word = Callable[[], str]


def tree(generator: random.Random, name: Word) -> str:
    """Returns a folder tree as printed by the command `tree`. `name` makes the names."""
    lines = [f"{name()}/"]

    def grow(indent: str, depth: int) -> None:
        count = generator.randint(1, 5)
        for number in range(count):
            last = number == count - 1
            notes = ("", "", "", f"  # {name()} {name()}", f" {generator.choice(EMOJI)}", " → " + name())
            note = generator.choice(notes)
            folder = depth > 0 and generator.random() < 0.4
            lines.append(f"{indent}{'└' if last else '├'}── {name()}{'/' if folder else '.py'}{note}")
            if folder:
                grow(indent + ("    " if last else "│   "), depth - 1)

    grow("", 3)
    return "\n".join(lines)


def box(generator: random.Random, word: Word) -> str:
    """Returns a table with box-drawing lines around its cells."""
    lines = generator.choice(BOXES)
    widths = [generator.randint(3, 14) for _ in range(generator.randint(1, 6))]
    padding = generator.choice((0, 1))

    def rule(left: str, cross: str, right: str) -> str:
        return left + cross.join(lines[1] * (width + 2 * padding) for width in widths) + right

    def row() -> str:
        cells = (" " * padding + word()[:width].ljust(width) + " " * padding for width in widths)
        return lines[4] + lines[4].join(cells) + lines[4]

    rows = [rule(lines[0], lines[2], lines[3]), row(), rule(lines[5], lines[6], lines[7])]
    rows += [row() for _ in range(generator.randint(1, 6))]
    return "\n".join([*rows, rule(lines[8], lines[9], lines[10])])


def marked(generator: random.Random, word: Word) -> str:
    """Returns a list whose items have marks, emoji or progress bars."""
    mark = generator.choice(MARKS + EMOJI)
    lines = []
    for _ in range(generator.randint(2, 9)):
        if generator.random() < 0.3:
            mark = generator.choice([*list(MARKS), *list(EMOJI), "⚠\ufe0f", "❤\ufe0f"])
        item = " ".join(word() for _ in range(generator.randint(1, 8)))
        if generator.random() < 0.2:
            bar = generator.choice(BARS)
            done, size = generator.random(), generator.randint(5, 20)
            item += f" {bar[0] * int(done * size)}{bar[1] * (size - int(done * size))} {done:.0%}"
        lines.append(f"{mark} {item}" if generator.random() < 0.8 else f"{item} {mark} {word()}")
    return "\n".join(lines)


def formula(generator: random.Random, word: Word) -> str:
    """Returns formulas and amounts with units, among words."""

    def term() -> str:
        kind = generator.randrange(8)
        letter = generator.choice(GREEK + VARIABLES)
        if kind < 2:
            return letter
        if kind == 2:
            return letter + "".join(generator.choices(SUPERSCRIPTS, k=generator.randint(1, 2)))
        if kind == 3:
            return letter + "".join(generator.choices(SUBSCRIPTS, k=generator.randint(1, 2)))
        if kind == 4:
            return f"{generator.choice('fgφψ')}({letter})"
        if kind == 5:
            return f"{generator.randrange(1000)}{generator.choice(('', '.5', ' '))}{generator.choice(UNITS)}"
        if kind == 6:
            return f"{generator.choice('√∂Δ∇|')}{letter}{generator.choice(('', '|', '/2', '′'))}"
        return str(generator.randrange(1000))

    parts = []
    for _ in range(generator.randint(2, 8)):
        gap = generator.choice((" ", " ", ""))
        terms = [term()]
        for _ in range(generator.randint(1, 6)):
            terms += [generator.choice(OPERATORS), term()]
        parts.append(gap.join(terms))
        if generator.random() < 0.5:
            parts.append(" ".join(word() for _ in range(generator.randint(1, 6))))
    return generator.choice(("; ", "\n", ", ", " ")).join(parts)
