"""Fences around remembered text, so that a model sees where it begins and ends, and that it is a quotation.

Anyone who writes to a bank could otherwise close a quotation, and go on as the user.
"""

import re

from .speakers import INVISIBLE

NAME = "remembered"
#: Stands for the bracket of a tag in the text.
INERT = "\u2039"
_BETWEEN = rf"[\s{INVISIBLE}]*+"
_BRACKET = r"(?:[<\uff1c\ufe64]|&(?:lt|LT);?|&#0*+60;?|&#[xX]0*+3[cC];?)"
_FULL_WIDTH = 0xFEE0  # from the code of a letter to that of the same letter in full width
_LETTERS = [
    f"[{each}{each.upper()}{chr(ord(each) + _FULL_WIDTH)}{chr(ord(each.upper()) + _FULL_WIDTH)}]" for each in NAME
]
#: Beginning of a tag of the fence, however it is written.
_TAG = re.compile(rf"{_BRACKET}(?={_BETWEEN}(?:[/\\\uff0f\u2215\u2044]{_BETWEEN})*+{_BETWEEN.join(_LETTERS)})")


def fenced(head: str, text: str) -> str:
    """Returns `head`, and `text` between tags. Tags of this name in the text lose their bracket: compared without case,
    blanks and invisible characters, also in full-width letters or as entities of HTML."""
    return f"{head}\n<{NAME}>\n{_TAG.sub(INERT, text)}\n</{NAME}>"
