"""Numbers and addresses that are known by their form and their checksum: bank accounts, cards, e-mail, telephones."""

from collections.abc import Iterator

import regex

#: ISO 13616: country → length of its account numbers.
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_IBAN = regex.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \u00a0.-]?[A-Za-z0-9]){11,30}")
_CARD = regex.compile(
    r"(?=[2-69]\d)(?<![\d.,_A-Za-z-])(?:(?:[2-6]\d|94)\d{2}(?:[ \u00a0-]?\d{4}){3}(?:[ \u00a0-]?\d{1,3})?"
    r"|3[47]\d{2}[ \u00a0-]?\d{6}[ \u00a0-]?\d{5}|3[068]\d{2}[ \u00a0-]?\d{6}[ \u00a0-]?\d{4})(?![\d_A-Za-z-])"
)
EMAIL = regex.compile(r"(?<![\w.+/-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
PHONE = regex.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}"
    r"|\(\d{3}\)[ -]?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}|0\d{1,3}[ /-]\d{3,4}[ -]\d{3,4})(?![\w-])"
)


def ibans(text: str, timeout: float) -> Iterator[tuple[int, int]]:
    """Yields the ranges of bank account numbers with valid check digits (ISO 13616). Raises `TimeoutError`."""
    for match in _IBAN.finditer(text, timeout=timeout):
        length = _IBAN_LENGTHS.get(match[0][:2].upper(), 0)
        places = [place for place, character in enumerate(match[0]) if character.isalnum()]
        if not length or len(places) < length:
            continue
        stop = places[length - 1] + 1
        number = "".join(match[0][place] for place in places[:length])
        following = text[match.start() + stop : match.start() + stop + 1]
        if not following.isalnum() and _is_iban(number):
            yield match.start(), match.start() + stop


def _is_iban(number: str) -> bool:
    moved = number[4:] + number[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def cards(text: str, timeout: float) -> Iterator[tuple[int, int]]:
    """Yields the ranges of card numbers with a valid checksum (ISO/IEC 7812). Raises `TimeoutError`."""
    for match in _CARD.finditer(text, timeout=timeout):
        if _is_card(match[0]):
            yield match.span()


def _is_card(number: str) -> bool:
    digits = [int(character) for character in number if character.isdigit()]
    doubled = [digit if place % 2 == 0 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0 and len(set(digits)) > 1
