"""Scripts written without spaces between words, as ranges for regular expressions."""

import re

HAN = "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HIRAGANA = "\u3041-\u309f"
KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
#: Thai, Lao, Burmese and Khmer; vowel signs and marks follow their letter.
SOUTH_EAST_ASIAN = "\u0e01-\u0e4e\u0e80-\u0ece\u1000-\u1049\u1780-\u17d3"
UNSPACED = HAN + HIRAGANA + KATAKANA + SOUTH_EAST_ASIAN
_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")


def is_unspaced(character: str) -> bool:
    """Returns whether the character belongs to a script written without spaces."""
    return _UNSPACED_CHARACTER.match(character) is not None
