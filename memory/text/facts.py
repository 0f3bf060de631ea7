"""Standing facts: clauses of a message that state what holds: a state, a goal, a value, a constraint or a promise.

They are recognised by rules, which are data: one TOML file of patterns for each language. A sentence is left out that
is a question, supposes something, reports what others say or tells of the past, and a message that plays a role or is
meant ironically; quotations and code are not read. Rules know words, not meaning: they miss what is implied.
"""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from foxing.memory.values.facts import KINDS, Clause, FactKind, MarkedClause

from .statements import language_of

DATA = Path(__file__).with_name("data") / "facts"
#: Characters that are read of a message, from its beginning.
READ_CHARS = 4_000
#: Most clauses of a message, and characters of a sentence that is read.
MAX_CLAUSES = 8
LONGEST = 400
#: Characters of the shortest clause.
SHORTEST = 4

_FENCED = re.compile(r"```[^`]{0,4000}(?:```|\Z)")
_QUOTED = re.compile(
    r"[“„«][^“”„«»\n]{1,300}[”“»]|\"[^\"\n]{1,300}\"|[「『《][^」』》\n]{1,300}[」』》]"
    r"|(?<!\w)'[^'\n]{1,200}'(?![a-z])"
    r"|‘[^’\n]{1,200}’(?![a-z])|^>[^\n]{0,400}|<[^<>\n]{1,200}>|https?://\S{1,300}",
    re.MULTILINE,
)
_CODE = re.compile(
    r"^(?:[ \t]{0,40}(?:def |class |return\b|import |from \S{1,80} import |if .{1,80}:$|for .{1,80}:$|while |try:"
    r"|except\b|else:|#|//|\$ |SELECT |INSERT |UPDATE |FAILED|ERROR|Traceback|at [\w.$]{1,80}\("
    r"|[\w.]{1,80}\.\w{0,40}(?:Exception|Error)|npm ERR|-[rwx-]{9} )"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:|.{0,200}[{};]$)[^\n]{0,400}$",
    re.MULTILINE,
)
#: Ends of sentences, other than the points of numbers and titles.
_SENTENCE_END = re.compile(
    r"\n|[。！？]|[.!?…](?![\w.!?…])(?:(?<!\d\.)|(?!\s?(?:[a-zß-ÿ\d]|Januar|Februar|März|April|Mai|Juni|Juli|August"
    r"|September|Oktober|November|Dezember|Klasse|Stock|Geburtstag|Jahr)))(?<!\bDr\.)(?<!\bMr\.)(?<!\bSt\.)[\"'”»)]?"
    r"|[!?](?=[^\x00-\x7f])"
)
_WORD = re.compile(r"\w")
_QUESTION = re.compile(r"[?？]\W{0,3}$")
_BREAKS = re.compile(r"[:：;；](?=\s|\W|[^\x00-\x7f])|\s[–—-]\s")
_COMMA = re.compile(r"[,，、](?!\d)")
#: Ends that are no words of the statement.
_EDGES = " \t,，;；:：–—-"


class FactRules(NamedTuple):
    """Patterns of one language."""

    nothing: re.Pattern[str]
    excluded: re.Pattern[str]
    brief: re.Pattern[str]
    kinds: dict[FactKind, re.Pattern[str]]
    of_assistant: re.Pattern[str]
    changes: re.Pattern[str]

    @property
    def patterns(self) -> Sequence[re.Pattern[str]]:
        """All of them."""
        of_kinds = self.kinds.values()
        return (self.nothing, self.excluded, self.brief, *of_kinds, self.of_assistant, self.changes)


#: Syllables of Hangul that end with ㄹ, for `{ㄹ}` in patterns.
FINAL_L = f"[{''.join(chr(code) for code in range(0xAC08, 0xD7A4, 28))}]"
#: Beginnings of a question, which is one up to its last comma as well.
_ASKS = re.compile(
    r"\A\W{0,8}(?:how|what|when|where|who|whose|which|why|can|could|do|does|is|are|should|would|will|wie|was|wann|wo|wer|wen"
    r"|welche[rsn]?|warum|wieso|womit|kann|soll|sollte|hast|gibt|comment|quand|où|qui|quels?|quelles?|pourquoi|combien"
    r"|est-ce|c'est quoi|tu|vous)\b",
    re.IGNORECASE,
)
#: Beginnings of clauses that say what follows from the one before.
_CONSEQUENCE = re.compile(
    r"\s{0,4}(?:so|but|and then|otherwise|deshalb|also|aber|donc|du coup|mais|所以|但|可是|그래서|그런데|근데)\b",
    re.IGNORECASE,
)
#: Beginnings of clauses that need none before them.
_INDEPENDENT = re.compile(
    r"\s{0,4}(?:(?:and|und|et|but|aber|mais|so|also|well|bon) )?(?:I|I'\w{1,3}|we|we'\w{1,3}|my|our|there's|it|she|he"
    r"|they|ich|wir|mein\w{0,2}|unser\w{0,2}|je|j'|nous|on|mon|ma|notre|il|elle|tout"
    r"|我|我们|咱|나|나는|난|저|저는|우리|제가|내가)(?:\b|(?<=')|(?<=[^\x00-\x7f]))",
    re.IGNORECASE,
)


@cache
def rules_of(code: str) -> FactRules | None:
    """Returns the rules of a language; None for one without."""
    path = DATA / f"{code}.toml"
    if not path.exists():
        return None
    source: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))
    patterns = {
        name: re.compile(
            "|".join(f"(?:{line})" for line in text.replace("{ㄹ}", FINAL_L).strip().splitlines()), re.IGNORECASE
        )
        for name, text in source.items()
    }
    kinds = {kind: patterns[kind] for kind in KINDS}
    return FactRules(
        patterns["nothing"],
        patterns["not"],
        patterns["brief"],
        kinds,
        patterns["promise_assistant"],
        patterns["changes"],
    )


def clauses_of(text: str, role: str) -> list[Clause]:
    """Returns the clauses of a message that state what holds, or that something has changed, in order. `role`: of the
    speaker; an assistant states promises alone, and nobody but user and assistant states anything."""
    if role not in ("user", "assistant") or not _WORD.search(text):
        return []
    rules = rules_of(language_of(text[:READ_CHARS]))
    if rules is None:
        return []
    readable = _readable(text[:READ_CHARS])
    if rules.nothing.search(readable):
        return []
    clauses: list[Clause] = []
    for start, stop in pairwise([0, *(match.end() for match in _SENTENCE_END.finditer(readable)), len(readable)]):
        if SHORTEST <= stop - start <= LONGEST:
            clauses += _of_sentence(readable, start, stop, rules, role)
        if len(clauses) >= MAX_CLAUSES:
            break
    return clauses[:MAX_CLAUSES]


def _readable(text: str) -> str:
    """Returns a text with blanks in place of code and quotations, each character in its place."""
    text = text.replace("’", "'")
    for pattern in (_FENCED, _CODE, _QUOTED):
        text = pattern.sub(lambda match: "·" * len(match[0]), text)
    return text


def _of_sentence(text: str, start: int, stop: int, rules: FactRules, role: str) -> Iterator[Clause]:
    """Yields the clauses of the sentence between `start` and `stop`."""
    sentence = text[start:stop]
    if _QUESTION.search(sentence):
        commas = [match.start() for match in _COMMA.finditer(sentence)]
        sentence = sentence[: commas[-1]] if commas and not _ASKS.match(sentence) else ""
    if not _WORD.search(sentence):
        return
    changes = role == "user" and rules.changes.search(sentence) is not None
    of_assistant: dict[FactKind, re.Pattern[str]] = {"promise": rules.of_assistant}
    kinds = of_assistant if role == "assistant" else rules.kinds
    marks = [
        (match.start(), match.end(), kind) for kind, pattern in kinds.items() if (match := pattern.search(sentence))
    ]
    if (marks or changes) and rules.excluded.search(sentence):
        return
    if marks and all(kind == "state" for _, _, kind in marks) and rules.brief.search(sentence):
        marks = []
    if not marks:
        if changes:
            yield _clause(text, start, start + len(sentence), None, changes=True)
        return
    parts = _parts(sentence)
    kind_of: dict[int, FactKind] = {}
    for begin, end, kind in marks:
        number = next(n for n, (_, part_stop) in enumerate(parts) if begin < part_stop or n == len(parts) - 1)
        last = next(n for n, (_, part_stop) in enumerate(parts) if end <= part_stop or n == len(parts) - 1)
        for place in range(number, last + 1):
            kind_of.setdefault(place, kind)
    first = min(kind_of)
    groups: list[tuple[int, int, FactKind]] = []
    for number in sorted(kind_of):
        kind = kind_of[number]
        if groups and (groups[-1][2] == kind or not _INDEPENDENT.match(sentence, parts[number][0])):
            groups[-1] = (groups[-1][0], number + 1, groups[-1][2])
        else:
            groups.append((number, number + 1, kind))
    for place, (number, end, kind) in enumerate(groups):
        begin = number
        if number == first and not _INDEPENDENT.match(sentence, parts[number][0]):
            breaks = [match.end() for match in _BREAKS.finditer(sentence, 0, parts[number][0] + 1)]
            begin = next((n for n, (at, _) in enumerate(parts) if not breaks or at >= breaks[-1] - 1), number)
            begin = min(begin, number)
        following = groups[place + 1][0] if place + 1 < len(groups) else len(parts)
        while end < following and not _CONSEQUENCE.match(sentence, parts[end][0]):
            end += 1
        yield _clause(text, start + parts[begin][0], start + parts[end - 1][1], kind, changes=changes)


def _parts(sentence: str) -> list[tuple[int, int]]:
    """Returns the ranges between the commas and colons of a sentence."""
    edges = sorted(match.end() for pattern in (_COMMA, _BREAKS) for match in pattern.finditer(sentence))
    bounds = [0, *edges, len(sentence)]
    return [(a, b) for a, b in pairwise(bounds) if a < b]


def _clause(text: str, start: int, stop: int, kind: FactKind | None, *, changes: bool) -> Clause:
    """Returns a clause without blanks at its edges."""
    part = text[start:stop]
    start += len(part) - len(part.lstrip(_EDGES))
    return Clause(start, start + len(text[start:stop].rstrip(_EDGES)), kind, changes)


#: Words that are marked: whole ones, and single ideographs.
_MARKED = re.compile(r"[^\W_\u3400-\u9fff]{1,80}|[\u3400-\u9fff]")
#: Most words of a clause that are marked.
MAX_MARKS = 96


def marked_clauses(text: str, role: str) -> list[MarkedClause]:
    """Returns `clauses_of` with their marks."""
    return [MarkedClause(clause, marks_of(text[clause.start : clause.stop])) for clause in clauses_of(text, role)]


def marks_of(text: str) -> bytes:
    """Returns a byte for each word of a text, which many words have."""
    return bytes(
        crc32(match[0].casefold().encode("utf-8", "surrogatepass")) & 0xFF for match in _MARKED.finditer(text)
    )[:MAX_MARKS]


def place_of(marks: bytes, text: str, gaps: Sequence[int]) -> tuple[int, int] | None:
    """Returns the range of what is left of a clause in a text of which words have faded; None if it is too little to
    tell. Words of the clause are missing only where the text has a gap. `gaps`: places of gap marks, ascending."""
    words = [(match.start(), match.end(), marks_of(match[0])[0]) for match in _MARKED.finditer(text)]
    best: tuple[int, int, int] = (0, 0, 0)
    for first in range(len(words)):
        at = marks.find(words[first][2])
        while at >= 0 and len(marks) - at > best[0]:
            length = _run(marks, at, words, first, gaps)
            if length > best[0]:
                best = (length, words[first][0], words[first + length - 1][1])
            at = marks.find(words[first][2], at + 1)
    return best[1:] if best[0] >= min(MIN_WORDS, len(marks)) else None


#: Words that must be left of a clause for it to be told from others.
MIN_WORDS = 3


def _run(marks: bytes, at: int, words: Sequence[tuple[int, int, int]], first: int, gaps: Sequence[int]) -> int:
    """Returns how many words from `first` on are those of a clause from its word `at` on."""
    length = 1
    for (_, before, _), (start, _, mark) in zip(words[first:], words[first + 1 :], strict=False):
        has_gap = bisect_left(gaps, before) < bisect_left(gaps, start)
        following = marks.find(mark, at + 1) if has_gap else at + 1
        if not at < following < len(marks) or marks[following] != mark:
            break
        at = following
        length += 1
    return length


#: Beginnings of clauses about somebody else: those of the speaker by what they are, and names.
_OTHERS = re.compile(
    r"\W{0,3}(?:(?:ach ja|oh|ok|well|just so you know|对了|아 맞다)\W{1,3})?(?:(?:und|and|et) )?"
    r"(?:(?i:(?:my|our|mein[er]?|unser[er]?|mon|ma|notre) (?P<kin>[\w'-]{2,24}))(?='s| |,)"
    r"|(?P<han>(?:我|咱)(?:妈|爸|奶奶|爷爷|女儿|儿子|老公|老婆|妻子|丈夫|妹妹|姐姐|哥哥|弟弟|孩子)|奶奶|爷爷|孩子)"
    r"|(?P<hangul>(?:우리 )?(?:딸|아들|엄마|아빠|아버지|어머니|남편|아내|할머니|할아버지|동생|아이))(?=[은는이가께 ])"
    r"|(?P<name>[A-ZÄÖÜÉÈ][\wäöüßéèêëïîôç'-]{2,20})"
    r"(?=(?:'s)? (?:is|has|can't|mustn't|must|hat|ist|darf|verträgt|est|a|ne|n')\b))"
)
#: Words with a capital letter that are no names.
_NO_NAMES = frozenset(
    {"She", "This", "That", "There", "Das", "Der", "Die", "Sie", "Elle", "Ils", "Cela", "Here", "What"}
)


def other_subject(clause: str) -> tuple[int, int] | None:
    """Returns the range of the words of a clause that name whom it is about; None if that is the speaker."""
    match = _OTHERS.match(clause)
    if match is None or match["name"] in _NO_NAMES:
        return None
    return match.span(match.lastgroup or 0)
