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
_SENTENCE = regex.compile(
    rf"[^\n.!?。！？]{{0,{LONGEST}}}+(?:[.!?](?=[^\s\"'”»)])[^\n.!?。！？]{{0,{LONGEST}}}+){{0,20}}+(?:[\n.!?。！？]|$|)"
)
_CANDIDATE = regex.compile(
    r"(?<![\p{Latin}\d_@/\\.$%{}&=<#+-])[\p{Latin}\d](?:[\p{Latin}\d_!#$%&*?^~.§€@-]{2,62}+)(?![\p{Latin}\d_@/／\\(\[{=<>:+]|[\"']\s?:)"
)
_NUMBER = regex.compile(
    r"(?<![\p{Latin}\d_.,/:+#$€£¥₩=-])"
    r"(?:\d{4,8}|\d{3} \d{3}|\d{2}(?:[ -]\d{2}){1,3}|\d(?:[ -]\d){3,7}|\d{3})(?![\p{Latin}\d_/%€$£¥₩°]|[.,:-]\d|\s?\d)"
)
_CARD = regex.compile(r"(?<![\d-])\d{4}(?:[ -]\d{4}){3}(?![\d-])")
_LETTERS = regex.compile(r"\p{Latin}+")
_QUOTED = regex.compile(
    r"(?:„|“|«|「|\"|‘)\s?(?P<secret>[\p{L}\p{N}'’!-]{1,20}(?: [\p{L}\p{N}'’!-]{1,20}){2,8})\s?(?:“|”|»|」|\"|’)"
)
_SIGN = regex.compile(r"(?<=.)[!#$&*?^~§€](?=[^!?*.,]*[\p{Latin}\d])|(?<=\d)[!#$&*^~§](?=$)")
_YEAR = regex.compile(r"(?:19|20)\d\d")
_CAPITALS = regex.compile(r"[A-Z0-9-]+")
_HEX = regex.compile(r"[0-9a-f]{6,64}|[0-9A-F]{6,64}|0x\w+")
_NAME = regex.compile(
    r"\p{Latin}+[-_.]?\d|[a-z]\d{1,4}|v\d.*|\d+-?\p{Latin}+|[a-z]+(?:\.\d+)+|\p{Lu}+-?\d+\p{Latin}{1,4}|\p{Ll}+\d\p{Ll}+"
    r"|\p{Latin}+\d\p{Ll}+\d?|(?:\p{Ll}+-)+0?\d|\p{Ll}+[-_]?0\d"
)
_HOST = regex.compile(r"(?:\p{Ll}+[-_])*\p{Ll}*0\d|\p{Ll}\d-\p{Ll}+|\p{Latin}+[-_]\d\p{Lu}")
_SEED = regex.compile(r"(?<![\p{Latin}\d])(?:[A-Z2-7]{4}(?: [A-Z2-7]{4}){3,15}|[a-z2-7]{4}(?: [a-z2-7]{4}){3,15})(?![\p{Latin}\d])")
_ANSWER = regex.compile(
    r"(?i:answer(?: is|s|ed)?|say|put|typed|réponds|réponse(?: est| :)?|mis|antwort(?: ist| lautet|:)?|hab(?:e)? ich|答え[、は]|回答は|답은|답이)"
    r"[ ,:]{0,3}[\"„«「]?(?P<secret>\p{Lu}[\p{L}'’]+(?:[ -]\p{Lu}[\p{L}'’]+){0,2}|[\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}]{2,8}?(?=に|で|だ|、|。|으로|로|이에|예요|입|야))"
)
_CHOSEN = regex.compile(r"\p{Latin}{3,}\d\p{Ll}{3,}|\p{Lu}\p{Ll}{3,}_\d|\p{Lu}\p{Ll}{5,}\d|\p{Ll}{10,}\d|\p{Ll}{3,}(?:[-_]\p{Ll}{3,}){1,3}[-_]\d")
_UUID = regex.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FILE = regex.compile(r".*\.\p{Latin}\w{0,6}")
_GROUPS = regex.compile(r"[A-Z0-9]{3,6}(?:-[A-Z0-9]{3,6}){1,6}")
_JOINED_WORDS = regex.compile(r"\p{Ll}{3,12}(?:[-_]\p{Latin}{2,14}){1,6}|\p{Lu}\p{Ll}{2,12}(?:[-_]\p{Latin}{2,14}){2,6}")
_HUMPED = regex.compile(r"\p{Ll}{3,14}[-_]?\p{Lu}\p{Ll}{1,14}")
_PREFIXES = ("pre", "non", "anti", "post", "mid", "inter", "trans", "sub", "nicht", "nord", "süd", "saint", "all")
_BEFORE = regex.compile(r"([\p{L}\p{N}'’]+) ([\p{L}\p{N}'’]+)(?: (?:is|was|ist|est|war|était|:))?[\s:#.「“\"'(*]{1,3}$")
_ADDRESSED = regex.compile(r"\.{0,4}[,:|]")
_INSIDE = regex.compile(r"[\p{Latin}\d+/=_]")
_CUT = regex.compile(r"(?!(?:s|e|n|es|en)(?!\p{Latin}))\p{Latin}")
_TWO = regex.compile(r"(?<![\p{Latin}\d.,:/-])\d{2}(?![\p{Latin}\d:/%-]|[.,]\d)")
_SYLLABLES = regex.compile(
    r"(?<!\p{Hangul})(?:[공영일이삼사오육륙칠팔구] ?){4,8}(?=[고이요예입임로으 ,.\n]|$)"
    r"|(?:ぜろ|れい|まる|いち|に|さん|よん|ご|ろく|なな|しち|はち|きゅう|ー){4,12}"
)
_JOINED = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}]")
_KEYED = regex.compile(r"[\"'][\w-]{1,40}[\"']\s?:\s?[\"']?$")


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
    before = _BEFORE.search(lower, max(0, start - 32), start)
    return before is not None and (before[2] in known.others or f"{before[1]} {before[2]}" in known.others)


def _places(text: str, lower: str, sentence: _Sentence, known: Words) -> Iterator[tuple[int, int, str]]:
    for match in _CARD.finditer(text, sentence.start, sentence.stop):
        yield *match.span(), "card"
    for match in _QUOTED.finditer(text, sentence.start, sentence.stop):
        said = match["secret"].lower().split()
        if sum(word in known.plain for word in said) * 2 <= len(said):
            yield *match.span("secret"), "phrase"
    for match in _NUMBER.finditer(text, sentence.start, sentence.stop):
        unit = known.units.match(lower, match.end())
        if unit is None or _is_cut(unit[0], lower, unit.end()):
            year = _YEAR.fullmatch(match[0])
            around = text[sentence.start : match.start()] + text[match.end() : sentence.stop]
            alone = len(around.strip(" *#\n\t")) <= 12 and _JOINED.search(around) or not around.strip(" *#\n\t")
            coded = _is_coded(lower, match.start(), known)
            yield *match.span(), "coded" if coded else "year" if year else "alone" if alone else "back" if len(match[0]) == 3 else "number"
    for match in _CANDIDATE.finditer(text, sentence.start, sentence.stop):
        if match.end() == sentence.stop and _INSIDE.match(text, match.end()):
            continue
        value = match[0].rstrip(".,:;?…-")
        kind = _kind_of(value, known)
        if kind in ("name", "capitals", "pieces") and _JOINED.search(text, sentence.start, sentence.stop):
            kind = "capitalised" if len(value) >= 8 and kind != "pieces" else "told" if kind == "pieces" else kind
        if match.start() == sentence.start and kind != "hard" and _ADDRESSED.match(text, match.start() + len(value)):
            kind = "addressed" if kind == "mixed" and text.startswith(",", match.start() + len(value)) else None
        if kind is not None and not (kind != "hard" and _KEYED.search(text, max(0, match.start() - 48), match.start())):
            yield match.start(), match.start() + len(value), kind
    for match in _SEED.finditer(text, sentence.start, sentence.stop):
        if any(map(str.isdigit, match[0])):
            yield *match.span(), "machine"
    for match in _ANSWER.finditer(text, sentence.start, sentence.stop):
        yield *match.span("secret"), "answer"
    yield from _spelled(lower, sentence, known)
    turned = list(_TWO.finditer(text, sentence.start, sentence.stop))
    if len(turned) >= 3:
        for match in turned:
            yield *match.span(), "turned"
    for match in _SYLLABLES.finditer(text, sentence.start, sentence.stop):
        if len(set(match[0].replace(" ", ""))) >= 3:
            yield match.start(), match.start() + len(match[0].rstrip()), "number"


def _is_coded(lower: str, start: int, known: Words) -> bool:
    """True if a word for a code stands directly before a number."""
    before = _BEFORE.search(lower, max(0, start - 32), start)
    return before is not None and bool(known.cues.single.get(before[2], Cue(0)) & Cue.OPENED)


def _is_cut(unit: str, lower: str, end: int) -> bool:
    """True if what looks like a unit is only the beginning of a word, or a particle."""
    last = unit.strip(" -")
    if not last.isascii():
        return last in ("이", "입", "로", "에", "일")
    return last in ("of", "von", "sur", "token", "code") or (last[-1:].isalpha() and _CUT.match(lower, end) is not None)


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
    sign = _SIGN.search(value) is not None
    if "@" in value and not (digits and value != value.lower() and shape_of(value) >= Shape.STRONG):
        return None
    if len(value) < 5 or not letters:
        return None
    if not digits and not sign:
        return _words_of(value, known)
    if _HEX.fullmatch(value) and len(value) >= 16 and digits >= 3 and letters >= 3:
        return "hex"
    if shape_of(value) < Shape.NUMBER or _HEX.fullmatch(value) or _UUID.fullmatch(value) or _FILE.fullmatch(value) or value.lower() in known.plain:
        return None
    if sign and not digits and "#" in value:
        return None
    if sign and letters + digits >= 5 and (digits or value[1:] != value[1:].lower()):
        return "hard" if digits else "mixed"
    if _HOST.fullmatch(value):
        return None
    if _GROUPS.fullmatch(value):
        groups = value.split("-")
        mixed = sum(not group.isdigit() and not group.isalpha() for group in groups)
        return "groups" if mixed * 2 >= len(groups) else None
    if _CAPITALS.fullmatch(value):
        return "capitals"
    if shape_of(value) is Shape.MACHINE and len(value) >= 20:
        return "machine"
    if _CHOSEN.fullmatch(value) and len(value) >= 9:
        return "capitalised"
    if _NAME.fullmatch(value) and value.isascii() and not _HUMPED.match(value):
        return "name"
    return "mixed" if letters >= 2 else None


def _words_of(value: str, known: Words) -> str | None:
    """Returns "words" if words with hyphens may be a password: `copper-violin-mosaic-tundra`, `azerty-Mouette`."""
    if not _JOINED_WORDS.fullmatch(value):
        return None
    pieces = value.lower().replace("_", "-").split("-")
    if any(piece in known.plain or known.cues.said(piece) for piece in pieces):
        return None
    humped = _HUMPED.fullmatch(value) and not value.isalpha() and pieces[0] not in _PREFIXES
    return "humped" if humped else "words" if len(pieces) >= 4 else "pieces" if value.islower() else None


def _is_shown(kind: str, here: Cue, before: Cue, beside: Cue) -> bool:
    """True if what is said shows that a value is a secret."""
    around = here | beside | before
    opened = Cue.THING | Cue.OPENED
    if kind == "card":
        return bool(here & Cue.CARD)
    if kind == "turned":
        return bool(here & Cue.TURNED and around & opened)
    if kind == "addressed":
        return bool(here & Cue.ENTERING and here & (Cue.SECRET | opened))
    if kind == "hex":
        return bool(here & Cue.ENTERING and here & (Cue.SECRET | Cue.KEY) and not around & (Cue.HASH | Cue.OTHER))
    if kind == "hard":
        return bool(around & (Cue.SECRET | Cue.KEY | Cue.ENTERING | opened))
    if kind == "machine":
        return bool(around & (Cue.SECRET | Cue.KEY)) and not here & Cue.HASH
    if kind == "mixed":
        return bool(around & (Cue.SECRET | opened | Cue.ENTERING))
    if kind == "humped":
        return bool(here & Cue.ENTERING and here & (Cue.SECRET | Cue.THING))
    if kind == "words":
        return bool(here & Cue.ENTERING and (here & Cue.SECRET or (around & Cue.SECRET and here & opened)))
    if kind == "phrase":
        return bool(around & Cue.PHRASE and around & (Cue.SECRET | opened))
    if kind == "capitals":
        return bool(here & Cue.SECRET and here & Cue.ENTERING and not here & Cue.OTHER)
    if kind == "name":
        return bool(here & Cue.ENTERING and here & Cue.SECRET and not here & Cue.OTHER)
    if kind == "capitalised":
        return bool(here & Cue.ENTERING and around & (Cue.SECRET | opened))
    if kind == "told":
        return bool(here & Cue.ENTERING and here & Cue.SECRET)
    if kind == "answer":
        return bool((here | before) & Cue.QUESTION)
    if kind == "groups":
        return bool((here | before) & (Cue.SECRET | Cue.KEY)) and not here & Cue.OTHER
    if kind == "back":
        return bool(here & Cue.BACK)
    if here & Cue.OTHER and not here & Cue.SECRET:
        return False
    opened = Cue.OPENED | Cue.SECRET
    if kind == "coded":
        return True
    if kind == "alone":
        return bool(around & opened)
    if kind == "year":
        return bool(here & opened and here & Cue.ENTERING)
    return bool(around & opened and here & Cue.ENTERING)
