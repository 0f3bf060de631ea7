"""Variants of lines: the same situation with other values, other numbers and other lines beside it.

What surrounds a value is learned apart from the value: a word that is a password in one line is another's in the next.
"""

import re
from collections.abc import Sequence
from random import Random

from foxing.memory.ingest.redaction.values import Shape, shape_of

from .generate import SIGNS, WORDS, Values

_MARKED = re.compile("(⟦.*?⟧)", re.S)
_PIECE = re.compile(r"[A-Za-zÀ-ÿ]{3,}|\d+|[A-Za-z]|[^\w\s]")
_DIGITS = re.compile(r"(?<![\w.])\d{3,12}(?![\w.])")
_HEX = re.compile(r"(?<!\w)(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}(?!\w)")


class Variants:
    """Makes variants of lines whose secrets are marked."""

    def __init__(self, lines: Sequence[str], random: Random) -> None:
        self.random = random
        self._values = Values(random)
        self._lines = [line for line in lines if len(line) < 200]
        pieces = {
            piece.lower()
            for line in lines
            for secret in re.findall("⟦(.*?)⟧", line, re.S)
            if shape_of(secret.replace(" ", "")) is not Shape.MACHINE
            for piece in re.findall(r"[A-Za-zÀ-ÿ]{4,12}", secret)
        }
        self._words = [*sorted(pieces), *WORDS]

    def of(self, line: str) -> str:
        """Returns a variant of a line."""
        pieces = [
            f"⟦{self._value(piece[1:-1])}⟧" if piece.startswith("⟦") else self._around(piece)
            for piece in _MARKED.split(line)
        ]
        text = "".join(pieces)
        other = self.random.choice(self._lines)
        between = self.random.choice(("\n", " ", "\n\n"))
        chance = self.random.random()
        if chance < 0.15:
            text = text + between + other
        elif chance < 0.3:
            text = other + between + text
        elif chance < 0.35 and "\n" not in text:
            text = "".join(p if p.startswith("⟦") else p.lower() for p in _MARKED.split(text))
        return text

    def _around(self, text: str) -> str:
        if self.random.random() < 0.5:
            return text
        text = _HEX.sub(lambda match: self._values.some("0123456789abcdef", len(match[0])), text)
        return _DIGITS.sub(lambda match: self._digits(match[0]), text)

    def _digits(self, digits: str) -> str:
        year = len(digits) == 4 and digits[:2] in ("19", "20")
        return digits[:2] + self._values.some("0123456789", 2) if year else self._values.some("0123456789", len(digits))

    def _value(self, value: str) -> str:
        if not value.isascii() and not any(map(str.isdigit, value)):
            return value
        shape = shape_of(value) if " " not in value else Shape.WORD
        if shape is Shape.MACHINE:
            return re.sub("[a-z]|[A-Z]|[0-9]", lambda match: self._like(match[0], value), value)
        if shape is Shape.STRONG and self.random.random() < 0.2:
            return self._values.password()
        return _PIECE.sub(lambda match: self._piece(match[0]), value)

    def _like(self, character: str, value: str) -> str:
        hexadecimal = re.fullmatch("[0-9a-fA-F-]+", value) is not None
        alphabet = "0123456789abcdef" if hexadecimal else "abcdefghijklmnopqrstuvwxyz0123456789"
        other = self.random.choice(alphabet)
        return other.upper() if character.isupper() else other

    def _piece(self, piece: str) -> str:
        if piece.isdigit():
            return self._digits(piece)
        if len(piece) == 1:
            return self.random.choice(SIGNS) if piece in SIGNS and self.random.random() < 0.2 else piece
        word: str = self.random.choice(self._words)
        return word.upper() if piece.isupper() else word.capitalize() if piece[0].isupper() else word.lower()
