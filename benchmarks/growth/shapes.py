"""Texts that make careless parsers and patterns slow: repeated openings, units and nesting, of any length."""

from collections.abc import Callable

#: Repeated to the length of a text: openings that nothing closes, and units of what patterns look for.
UNITS = {
    "letters": "a",
    "words": "the quick brown fox ",
    "sentences": "Anna moved to Berlin on 3 May 2026 and paid 12.50 EUR. ",
    "spaces": " ",
    "tabs": "\t",
    "lines": "\n",
    "lines of words": "word\n",
    "digits": "1",
    "numbers": "1,234.5 ",
    "dates": "2026-03-02 ",
    "clock": "12:30 ",
    "dots": ".",
    "dashes": "-",
    "underscores": "_a",
    "quotes": '"',
    "apostrophes": "it's ",
    "backslashes": "\\",
    "backticks": "`",
    "open brackets": "[",
    "open parentheses": "(",
    "open braces": '{"a":',
    "open tags": "<a ",
    "comments": "<!--",
    "entities": "&#x",
    "tag pairs": "<b>x</b>",
    "fences": "</remembered>",
    "citations": "\ue200cite\ue202",
    "urls": "http://a.b/c?",
    "schemes": "a://",
    "mail": "a@b.c ",
    "at signs": "a@",
    "paths": "/usr/lib",
    "tokens": "eyJhbGciOiJIUzI1NiJ9.",
    "token starts": "eyJ",
    "keys": "-----BEGIN RSA PRIVATE KEY-----\n",
    "passwords": "password: ",
    "assignments": "PASSWORD=a ",
    "hexadecimal": "0a",
    "card digits": "4111 ",
    "IBAN": "DE89 3704 ",
    "phone": "+49 30 ",
    "pipes": "| a ",
    "table rows": "|---|---|\n",
    "dollars": "$x$ ",
    "names": "Anna-Maria von ",
    "capitals": "A. B. ",
    "negations": "not ",
    "times in words": "last week ",
    "headers": "Content-Type: text/plain; a=b\n",
    "private": "<private>",
    "Han": "漢",
    "kana": "あ。",
    "Hangul": "가 ",
    "Thai": "ก",
    "combining marks": "\u0301",
    "joined emoji": "👩\u200d",
    "gap marks": "⋯",
    "zero width": "\u200b",
    "surrogates escaped": "\\ud800",
}


def repeated(unit: str, length: int) -> str:
    """Returns `length` characters of a repeated unit."""
    return (unit * (length // len(unit) + 1))[:length]


def mixed(length: int) -> str:
    """Returns `length` characters in equal parts of every unit, one after the other."""
    part = length // len(UNITS)
    return "\n".join(repeated(unit, part - 1) for unit in UNITS.values())


def nested(depth: int) -> str:
    """Returns a JSON document of objects in arrays, `depth` deep."""
    return '[{"a":' * (depth // 2) + "1" + "}]" * (depth // 2)


#: Name of a text → makes it at a length in characters. The first has something of every other.
TEXTS: dict[str, Callable[[int], str]] = {
    "everything": mixed,
    **{name: lambda length, unit=unit: repeated(unit, length) for name, unit in UNITS.items()},  # type: ignore[misc]
}
