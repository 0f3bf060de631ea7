"""Numerals of Han script and of Roman letters that number a thing: “第三卷”, “三号”, “Volume III”."""

import re

_HAN = {character: value for value, character in enumerate("一二三四五六七八九", 1)}
_TEN = "十"
#: A numeral of Han after the sign of ordinals, or before a word with which things are numbered.
HAN_ORDINAL = re.compile(
    "(?<=第)[一二三四五六七八九十]{1,3}"
    "|(?<![一二三四五六七八九十百千])[一二三四五六七八九十]{1,3}"
    "(?=[巻卷号號番章話话代等位階楼級级期班組组月])"
)
_ROMAN = re.compile("(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10}


def han_number(numeral: str) -> str | None:
    """Returns a numeral of Han up to 99 in digits; None for characters that are none."""
    tens, ten, ones = numeral.partition(_TEN)
    if not ten:
        return str(_HAN[numeral]) if numeral in _HAN else None
    if (tens and tens not in _HAN) or (ones and ones not in _HAN):
        return None
    return str(10 * _HAN.get(tens, 1) + _HAN.get(ones, 0))


def with_digits(text: str) -> str:
    """Returns a text with digits for the numerals of Han that number a thing."""
    return HAN_ORDINAL.sub(lambda match: han_number(match[0]) or match[0], text)


def roman_number(word: str) -> str | None:
    """Returns a Roman numeral of two to six letters, up to 39, in digits; None for another word."""
    if not _ROMAN.fullmatch(word):
        return None
    values = [_ROMAN_VALUES[letter] for letter in word]
    return str(sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True)))
