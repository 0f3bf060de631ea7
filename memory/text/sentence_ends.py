"""Ends of sentences, in scripts with spaces and without."""

import re

#: What may follow the mark that ends a sentence and still belongs to it.
_CLOSING = "\"'”’»)]」』）】*_"
#: Pattern of the end of a sentence: its mark with what closes it, before a blank in scripts with spaces.
SENTENCE_END = rf"[.!?…][{re.escape(_CLOSING)}]*+(?=\s)|[。！？…][{re.escape(_CLOSING)}]*+"
#: Marks behind which a sentence that is too long is divided.
CLAUSE_MARKS = ",;，、；："
#: Characters of code and listings, and the marks that end a statement.
_CODE, _MARKS = frozenset("{}[]<>=;|\\"), tuple(".!?。！？")
#: Shortest statement in characters, in scripts with spaces and without.
_SHORTEST, _SHORTEST_UNSPACED = 16, 6
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def is_statement(sentence: str) -> bool:
    """True for a statement in prose: a sentence that begins with a capital, or in a script that has none, and ends with
    its mark; unlike code and listings."""
    first = sentence[:1]
    if not first.isalpha() or first.islower() or not _CODE.isdisjoint(sentence):
        return False
    if not sentence.rstrip(_CLOSING).endswith(_MARKS):
        return False
    return len(sentence) >= (_SHORTEST_UNSPACED if _UNSPACED.match(first) else _SHORTEST)
