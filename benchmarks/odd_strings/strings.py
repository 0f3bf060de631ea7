"""Strings that typesetting could change, by kind; always the same for a seed."""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

_WORDS = (
    *("cooperation", "management", "report", "naïve", "Zuckerbrot", "Straße", "résumé", "the", "a", "invoice", "gate"),
    *(
        "книга",
        "привет",
        "σήμερα",
        "καλημέρα",
        "शुक्रिया",
        "नमस्ते",
        "کتاب",
        "می‌خواهم",
        "안녕하세요",
        "회의",
        "会議室",
        "东京",
    ),
)
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u061c\u034f\u180e\u2061\u2064"
_MARKS = ("▶", "◆", "¶", "⋯", "▒", "→", "⟦", "⟧", "⟦41⟧", "⟦1F600⟧", "⟦", "⟦D800⟧", "⋯⋯", "▶user", "¶¶")
_COMBINING = "\u0300\u0301\u0302\u0303\u0308\u030a\u0323\u0327\u0338\u20dd\u20e3\u1ab0"
_LATIN, _CYRILLIC, _GREEK = "aceopxyABCEHIKMOPTX", "асеорхуАВСЕНІКМОРТХ", "αοκνρυΑΒΕΗΙΚΜΟΡΤΧ"
_ALIKE = "–−‐‑—ー一｜|lI1ǀ∣`´ʹ′‘’“”„‚،٫·⋅∙•‧…⁄∕⧸"
_EMOJI = (
    *(
        "👩\u200d👩\u200d👧\u200d👦",
        "🏳\ufe0f\u200d🌈",
        "👍🏽",
        "🇰🇷",
        "1\ufe0f⃣",
        "❤\ufe0f",
        "☀\ufe0f",
        "👨🏿\u200d🚀",
        "🦊",
        "⚠",
        "☎\ufe0e",
    ),
    *("🧭", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "🤷🏻\u200d♀\ufe0f", "㊗\ufe0f", "🫠"),
)
_CURRENCIES = ("$", "€", "£", "¥", "₩", "")
_UNITS = ("", "", " kg", " km", "%", " °C", " €", " mm", "年", "개")


class OddString(NamedTuple):
    """A string and its kind."""

    kind: str
    text: str


class _Strings:
    """Generator of strings of each kind."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def word(self) -> str:
        return self.random.choice(_WORDS)

    def words(self, most: int = 4) -> str:
        return " ".join(self.word() for _ in range(self.random.randint(1, most)))

    def inside(self, signs: str | tuple[str, ...], most: int = 3) -> str:
        """Words with a few of `signs` inserted anywhere."""
        text = self.words()
        for _ in range(self.random.randint(1, most)):
            at = self.random.randint(0, len(text))
            text = text[:at] + self.random.choice(signs) + text[at:]
        return text

    def number(self) -> str:
        pick = self.random
        whole = pick.choice(
            (str(pick.randint(0, 99)), f"{pick.randint(1_000, 9_999_999):,}", str(pick.randint(0, 10**9)))
        )
        form = pick.randrange(8)
        if form == 0:
            return f"v{pick.randint(0, 9)}.{pick.randint(0, 30)}.{pick.randint(0, 999)}"
        if form == 1:
            return f"{pick.randint(1, 28)}.{pick.randint(1, 12)}.{pick.randint(1990, 2030)}"
        if form == 2:
            return ".".join(str(pick.randint(0, 255)) for _ in range(4))
        if form == 3:
            return f"{whole}.".replace(",", ".").replace(".", ",", 1)
        sign = pick.choice(("", "", "-", "+", "−", "±"))
        return f"{sign}{pick.choice(_CURRENCIES)}{whole}.{pick.randint(0, 99):02d}{pick.choice(_UNITS)}"

    def numbers(self) -> str:
        joint = self.random.choice((" ", ", ", "; ", "/", " – ", ". ", ","))
        end = self.random.choice((".", "", ",", "...", "!"))
        return joint.join(self.number() for _ in range(self.random.randint(1, 4))) + end

    def long_numbers(self) -> str:
        """So many numbers that a page is likely to end among them."""
        return self.random.choice((". ", ", ", " ")).join(self.number() for _ in range(90)) + "."

    def confusables(self) -> str:
        scripts = self.random.sample((_LATIN, _CYRILLIC, _GREEK, _ALIKE), 2)
        letters = (self.random.choice(self.random.choice(scripts)) for _ in range(self.random.randint(2, 12)))
        return f"{self.words(2)} {''.join(letters)} {self.word()}"

    def jamo(self) -> str:
        leads, vowels, tails = range(0x1100, 0x1113), range(0x1161, 0x1176), range(0x11A8, 0x11C3)
        pick = self.random.choice
        parts = (
            chr(pick(leads)) + chr(pick(vowels)) + (chr(pick(tails)) if self.random.random() < 0.5 else "")
            for _ in range(self.random.randint(1, 4))
        )
        loose = "".join(pick("ㄱㄴㄷㅏㅓㅣㅋㅋㅎㅠ") for _ in range(self.random.randint(0, 4)))
        return f"{''.join(parts)} {loose}{self.word()}"

    def any_characters(self) -> str:
        planes = (
            (0x20, 0x2FF),
            (0x300, 0x1FFF),
            (0x2000, 0x2BFF),
            (0x2E80, 0xD7FF),
            (0xE000, 0xFFFF),
            (0x1F000, 0x1FAFF),
        )
        ranges = (self.random.choice(planes) for _ in range(self.random.randint(1, 12)))
        return f"{self.word()} {''.join(chr(self.random.randint(*span)) for span in ranges)}"

    def spaces(self) -> str:
        return self.inside(
            ("  ", "\t", "\u00a0", "\u2009", "\u3000", " \n", "\n\n", "\r\n", "\u2028", "   ", "\x0b"), 4
        )

    def right_to_left(self) -> str:
        hebrew, arabic = self.random.choice(("שלום", "תודה", "מחר")), self.random.choice(("مرحبا", "شكرا", "غدا"))
        sign = self.random.choice(("\u202b", "\u202c", "\u2067", "\u2069", "\u200f", ""))
        return f"{hebrew} {sign}({self.random.randint(1, 99)}){sign} {arabic}، {self.word()}"


#: Kind → function that makes a string.
KINDS: dict[str, Callable[[_Strings], str]] = {
    "zero width": lambda make: make.inside(_ZERO_WIDTH),
    "soft hyphens": lambda make: make.inside("\u00ad\u2010\u2011"),
    "combining": lambda make: make.inside(_COMBINING, 6),
    "right to left": _Strings.right_to_left,
    "confusables": _Strings.confusables,
    "other planes": lambda make: make.inside("𝐀𝟙𐍈𠜎𠮷🂡𝄞\U000e0001\U000f0000\U0010ffff\ufffe\ue000"),
    "controls": lambda make: make.inside("".join(map(chr, [*range(0x20), 0x7F, 0x85, 0x9F]))),
    "escapes and marks": lambda make: make.inside(_MARKS),
    "numbers": _Strings.numbers,
    "emoji": lambda make: make.inside(_EMOJI),
    "Hangul jamo": _Strings.jamo,
    "spaces and lines": _Strings.spaces,
    "any characters": _Strings.any_characters,
}
#: One string in this many is a long list of numbers.
LONG_NUMBERS_EVERY = 40


def odd_strings(count: int, seed: int) -> Iterator[OddString]:
    """Yields `count` strings, the kinds in turn."""
    make = _Strings(seed)
    kinds = list(KINDS)
    for number in range(count):
        if number % LONG_NUMBERS_EVERY == LONG_NUMBERS_EVERY - 1:
            yield OddString("numbers at page ends", make.long_numbers())
        else:
            kind = kinds[number % len(kinds)]
            yield OddString(kind, KINDS[kind](make))
