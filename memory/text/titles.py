"""Titles of threads: those that are given, and those made of a request."""

import re
import unicodedata

TITLE_CHARS = 200
#: Characters of a title that is made of a request, and the fewest of its first sentence: “Hi!” is none.
REQUEST_CHARS = 72
SENTENCE_CHARS = 12

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_MARKS = re.compile(r"^(?:\s*(?:[#>*+•-]+|\d{1,3}[.)])\s+)+")
_INLINE = re.compile(r"\*\*|__|`+|!?\[([^\]\[]*)\]\((?:[^()\s]*)\)")
_IMAGE = re.compile(r"\[image[^\]\[]*\]|■ image[^\n]*")
_SENTENCE_END = re.compile(r"[.!?…](?=\s|$)|[。！？]")


def one_line(title: str) -> str:
    """Returns a title in one line without control characters, at most `TITLE_CHARS` long; empty if nothing is left."""
    visible = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in title)
    return cut_at_word(" ".join(visible.split()), TITLE_CHARS)


def request_title(text: str) -> str:
    """Returns the first sentence of a request, cut at a word to `REQUEST_CHARS`, without marks of Markdown; empty if it
    has no words."""
    lines = _IMAGE.sub("", text[:4_000]).splitlines()
    spoken = (line for line in lines if not _FENCE.match(line))
    words = (one_line(_INLINE.sub(lambda link: link[1] or "", _MARKS.sub("", line))) for line in spoken)
    line = next((line for line in words if any(map(str.isalnum, line))), "")
    for end in _SENTENCE_END.finditer(line):
        if end.end() >= SENTENCE_CHARS:
            line = line[: end.end()]
            break
    return cut_at_word(line.rstrip(".。"), REQUEST_CHARS)


def cut_at_word(text: str, chars: int) -> str:
    """Returns a text of at most `chars` characters: one that is longer is cut after a word and ends with “…”."""
    if len(text) <= chars:
        return text
    head = text[: chars - 1]
    space = head.rfind(" ")
    return (head[:space] if space > chars // 2 else head).rstrip(" ,;:–—-") + "…"
