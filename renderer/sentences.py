"""Sentences: where they end, in scripts with spaces and without, and which of them are statements in prose."""

import re
from collections.abc import Iterator

#: Marks that end a sentence, and marks between its clauses.
SENTENCE_MARKS = ".!?…。！？"
CLAUSE_MARKS = ",;，、；："
#: What may follow the mark that ends a sentence and still belongs to it.
_CLOSING = "\"'”’»)]」』）】*_"
_CLOSED = rf"[{re.escape(_CLOSING)}]*+"
#: The end of a sentence: its mark with what closes it, before a blank in scripts with spaces.
_END = re.compile(rf"[.!?…]{_CLOSED}(?=\s|\Z)|[。！？…]{_CLOSED}")
_MARK = re.compile(rf"[{SENTENCE_MARKS}\n]")
#: Abbreviation, whose full stop does not end the sentence, and its longest beginning in characters.
_ABBREVIATION = re.compile(r"(?<!\w)(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|vs|ca|bzw|z\.B|e\.g|i\.e)$")
_ABBREVIATED = 6
#: Characters of code and listings.
_CODE = frozenset("{}[]<>=;|\\")
#: Shortest statement in characters, in scripts with spaces and without.
_SHORTEST = 16
_SHORTEST_UNSPACED = 6
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def sentence_ends(text: str, start: int, stop: int) -> Iterator[int]:
    """Yields where sentences end in a part of a text, behind their marks."""
    for end in _END.finditer(text, start, stop):
        if not is_abbreviated(text, end.start()):
            yield end.end()


def has_mark(text: str, start: int, stop: int) -> bool:
    """Returns whether a part of a text has a mark that ends a sentence, or the end of a line."""
    return _MARK.search(text, start, stop) is not None


def is_abbreviated(text: str, stop: int) -> bool:
    """Returns whether a text has an abbreviation before `stop`, whose full stop does not end the sentence."""
    return _ABBREVIATION.search(text, max(0, stop - _ABBREVIATED), stop) is not None


def is_statement(sentence: str) -> bool:
    """True for a statement in prose: a sentence that begins with a capital, or in a script that has none, and ends with
    its mark; unlike code and listings."""
    first = sentence[:1]
    if not first.isalpha() or first.islower() or not _CODE.isdisjoint(sentence):
        return False
    if not sentence.rstrip(_CLOSING).endswith(tuple(SENTENCE_MARKS.replace("…", ""))):
        return False
    return len(sentence) >= (_SHORTEST_UNSPACED if _UNSPACED.match(first) else _SHORTEST)
