"""Secrets that no word introduces: what looks like a password or a code beside what it opens, or how it is entered.

“marmot77 is what gets you into the shared calendar”, “The alarm beeps. Go to the hall and type 80215.” A text is read by
sentences. The more a value looks like a secret, the less its own sentence and those beside it have to say. Each sentence
is read once, so the time grows with the text and no faster.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import regex

from .matches import RuleMatch
from .values import Shape, shape_of
from .words import Cue, Words, words

#: Most characters of a sentence.
LONGEST = 240
_SENTENCE = regex.compile(rf"[^\n.!?。！？]{{0,{LONGEST}}}+(?:[.!?](?=\S)[^\n.!?。！？]{{0,{LONGEST}}}+){{0,20}}+(?:[\n.!?。！？]|$|)")
_CANDIDATE = regex.compile(
    r"(?<![\w@/\\.$%{}&=<#-])[#*]?[\p{Latin}\d](?:[\p{Latin}\d_!#$%&*+?^~.§€-]{2,62}+)(?![@/\\(\[{=<>:]\S)"
)
_NUMBER = regex.compile(
    r"(?<![\w.,/:+#$€£¥₩=-])(?:\d{4,8}|\d{3} \d{3}|\d{2}(?:[ -]\d{2}){1,3}|\d(?:[ -]\d){3,7})(?![\w/%€$£¥₩°]|[.,:-]\d|\s?\d)"
)
_CARD = regex.compile(r"(?<![\d-])\d{4}(?:[ -]\d{4}){3}(?![\d-])")
_LETTERS = regex.compile(r"\p{Latin}+")
_SIGN = regex.compile(r"(?<=.)[!#$%&*+?^~§€](?=.)|(?<=\d)[!#$%&*^~§](?=$)")
_YEAR = regex.compile(r"(?:19|20)\d\d")
_CAPITALS = regex.compile(r"[A-Z0-9-]+")
_HEX = regex.compile(r"[0-9a-f]{6,64}|[0-9A-F]{6,64}|0x\w+")
_NAME = regex.compile(r"\p{Latin}{2,}[-_.]?\d{1,2}|[a-z]\d{1,4}|v\d.*|\d+[a-zA-Z]{1,4}|[a-z]+(?:[-.]\d+)+")
_GROUPS = regex.compile(r"[A-Z0-9]{3,6}(?:-[A-Z0-9]{3,6}){1,6}")
_BEFORE = regex.compile(r"[\p{L}\p{N}'’]+(?=[\s:#.「“\"'(]{1,3}$)")


@dataclass(frozen=True)
class _Sentence:
    start: int
    stop: int


def nearby(
    text: str, lower: str, check: Callable[[], object], order: int
) -> Iterator[RuleMatch]:
    """Yields the secrets of a text that what is said around them shows. `check`: called
    for each sentence, to raise an exception if time is up; `order`: see `RuleMatch`."""
    known = words()
    sentences = [_Sentence(*match.span()) for match in _SENTENCE.finditer(text) if match.end() > match.start()]
    read: dict[int, Cue] = {}

    def cue_of(number: int) -> Cue:
        if not 0 <= number < len(sentences):
            return Cue(0)
        if number not in read:
            read[number] = known.cues.said(lower[sentences[number].start : sentences[number].stop])
        return read[number]

    for number, sentence in enumerate(sentences):
        places = list(_places(text, lower, sentence, known))
        if not places:
            continue
        check()
        here = cue_of(number)
        beside = cue_of(number - 1) | cue_of(number + 1)
        before = cue_of(number - 1)
        if before == 0:
            before |= cue_of(number - 2)
        for start, stop, kind in places:
            if _is_shown(kind, here, before, beside) and not _other(lower, start, known):
                yield RuleMatch(start, stop, "secret", "secrets", order)


def _other(lower: str, start: int, known: Words) -> bool:
    """True if the word before a value says that it is something else: a user, a flight, an order."""
    before = _BEFORE.search(lower, max(0, start - 24), start)
    return before is not None and before[0] in known.others


def _places(text: str, lower: str, sentence: _Sentence, known: Words) -> Iterator[tuple[int, int, str]]:
    for match in _CARD.finditer(text, sentence.start, sentence.stop):
        yield *match.span(), "card"
    for match in _NUMBER.finditer(text, sentence.start, sentence.stop):
        unit = known.units.match(lower, match.end())
        if unit is None or unit[0].strip() in ("s", "m", "h", "d", "k", "of", "von", "sur", "로"):
            year = _YEAR.fullmatch(match[0])
            yield *match.span(), "year" if year else "number"
    for match in _CANDIDATE.finditer(text, sentence.start, sentence.stop):
        value = match[0].rstrip(".,:;?…-")
        kind = _kind_of(value, known)
        if kind is not None:
            yield match.start(), match.start() + len(value), kind
    yield from _spelled(lower, sentence, known)


def _spelled(lower: str, sentence: _Sentence, known: Words) -> Iterator[tuple[int, int, str]]:
    """Yields numbers that are spelled digit by digit: “five five oh nine”."""
    run: list[regex.Match[str]] = []
    for match in _LETTERS.finditer(lower, sentence.start, sentence.stop):
        if match[0] in known.digits and (not run or match.start() - run[-1].end() <= 2):
            run.append(match)
            continue
        if len(run) >= 4:
            yield run[0].start(), run[-1].end() + (2 if len(match[0]) == 1 and match.start() == run[-1].end() + 1 else 0), "number"
        run = [match] if match[0] in known.digits else []
    if len(run) >= 4:
        yield run[0].start(), run[-1].end(), "number"


def _kind_of(value: str, known: Words) -> str | None:
    """Returns how much a value looks like a secret; None if not at all."""
    letters = sum(map(str.isalpha, value))
    digits = sum(map(str.isdigit, value))
    if len(value) < 5 or not letters or not digits + (_SIGN.search(value) is not None):
        return None
    if shape_of(value) < Shape.NUMBER or _HEX.fullmatch(value) or value.lower() in known.plain:
        return None
    if _SIGN.search(value) and value[1:] != value[1:].lower() + "" and digits:
        return "hard"
    if _SIGN.search(value) and digits + letters >= 5 and (digits or value[1:] != value[1:].lower()):
        return "hard" if digits else "mixed"
    if _GROUPS.fullmatch(value):
        return "groups" if digits else None
    if _CAPITALS.fullmatch(value):
        return "capitals"
    if digits >= 1 and letters >= 2:
        return "name" if _NAME.fullmatch(value) and value.islower() and len(value) < 8 else "mixed"
    return None


def _is_shown(kind: str, here: Cue, before: Cue, beside: Cue) -> bool:
    """True if what is said shows that a value is a secret."""
    around = here | beside
    if kind == "card":
        return bool(here & Cue.CARD)
    if kind == "hard":
        return bool(around & (Cue.SECRET | Cue.THING | Cue.ENTERING | Cue.OPENED | Cue.KEY))
    if kind == "mixed":
        return bool(around & Cue.SECRET) or bool(around & (Cue.THING | Cue.OPENED) and around & Cue.ENTERING)
    if kind in ("name", "capitals"):
        return bool(here & Cue.SECRET and here & Cue.ENTERING and not here & Cue.OTHER)
    if kind == "groups":
        return bool((here | before) & (Cue.SECRET | Cue.KEY)) and not here & Cue.OTHER
    place = Cue.OPENED | Cue.SECRET
    if here & Cue.OTHER and not here & Cue.SECRET:
        return False
    if kind == "year":
        return bool(here & place and here & Cue.ENTERING)
    return bool((here | before) & place and here & Cue.ENTERING)
