"""Values that may be secrets by their look alone, and how much they look like it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

import regex

from .values import UUID, WALLET, YEAR, Shape, shape_of
from .words import JOINED, Cue, Words, words


class Look(Enum):
    """Looks of values."""

    #: letters, digits and signs: `Pickle!Toast9`
    HARD = auto()
    #: letters and digits: `Hollyhock52`
    MIXED = auto()
    #: the same, where a line may call somebody by name: “Hollyhock52, that is it”
    CALLED = auto()
    #: made by a machine
    MACHINE = auto()
    HEX = auto()
    #: groups of capitals and digits: `RK-7YQ2-M4TD`
    GROUPS = auto()
    #: a word and a digit
    CHOSEN = auto()
    #: what is more often the name of a thing: `raid1`, `BA2490`
    NAME = auto()
    #: words with hyphens, several or with a capital inside
    WORDS = auto()
    HUMPED = auto()
    #: Latin words with hyphens in a sentence of another script, close after a word for a secret
    TOLD = auto()
    #: several words in quotes
    QUOTED = auto()
    #: words joined by signs, in quotes: „Rotkohl.macht.froh“
    SPOKEN = auto()
    ANSWER = auto()
    NUMBER = auto()
    #: a number that may be a year, has three digits, stands alone, or directly after a word for a code
    YEAR = auto()
    THREE = auto()
    ALONE = auto()
    CODED = auto()
    #: numbers of a dial with hyphens: 7-22-31
    DIAL = auto()
    #: as many words as a wallet has, none of which joins others
    SEED = auto()
    #: one of several numbers of a dial
    TURNED = auto()
    CARD = auto()


@dataclass(frozen=True)
class Suspect:
    """A place of a text that may be a secret."""

    start: int
    stop: int
    look: Look


_VALUE = regex.compile(
    r"(?<![\p{Latin}\d_@/\\.$%{}&=<#+-])(?=\p{Latin}{0,62}+(?:[\d_!#$%&*?^~§€@+-]|\.[\p{Latin}\d]))[\p{Latin}\d](?:(?:[\p{Latin}\d_!#$%&*?^~.§€@-]|\+(?=[\p{Latin}\d])){2,62}+)(?![\p{Latin}\d_@/／\\(\[{=<>:+]|[\"']\s?:)"
)
_NUMBER = regex.compile(
    r"(?<![\p{Latin}\d_.,/:+#$€£¥₩=\[-])(?<!\d )"
    r"(?:\d{4,8}|\d{3}[ -]\d{3}|\d{2}(?:[ -]\d{2}){1,3}|\d(?:[ -]\d){3,7}|\d{3})"
    r"(?![\p{Latin}\d_/%€$£¥₩°]|[.,:-]\d|\s?\d)"
)
_CARD = regex.compile(r"(?<![\d-])\d{4}(?:[ -]\d{4}){3}(?![\d-])")
_QUOTED = regex.compile(
    r"(?:„|“|«|「|\"|‘)\s?(?P<secret>[\p{L}\p{N}'’!-]{1,20}(?: [\p{L}\p{N}'’!-]{1,20}){2,8})\s?(?:“|”|»|」|\"|’)"
)
_SPOKEN = regex.compile(
    r"[„“«「\"‘'”]\s?(?P<secret>\p{L}{2,20}+(?:[!$%&*+@~^?]\p{L}{2,20}+){1,4}+|\p{L}{2,20}+(?:[.!]\p{L}{2,20}+){2,6}+)\s?[“”»」\"’']"
)
_SIGN = regex.compile(r"(?<=.)[!#$&*+?^~§€](?=[^!?*.,]*[\p{Latin}\d])|(?<=\d)[!#$&*^~§](?=$)")
_CAPITALS = regex.compile(r"[A-Z0-9-]+")
_HEX = regex.compile(r"[0-9a-f]{6,64}|[0-9A-F]{6,64}|0x\w+")
_NAME = regex.compile(
    r"\p{Latin}+[-_.]?\d|[a-z]\d{1,4}|v\d.*|\d+-?\p{Latin}+|[a-z]+(?:\.\d+)+|\p{Lu}+-?\d+\p{Latin}{1,4}|\p{Ll}+\d\p{Ll}+"
    r"|\p{Latin}+\d\p{Ll}+\d?|(?:\p{Latin}+[-_.])+\p{Latin}+\d|\p{Latin}+[-_]?\d\p{Ll}+|\p{Latin}+(?:8|16|32|64|128|256|512)\p{Ll}*|(?:\p{Ll}+-)+0?\d|\p{Ll}+[-_]?0\d"
)
_HOST = regex.compile(r"(?:\p{Ll}+[-_])*\p{Ll}*0\d|\p{Ll}\d-\p{Ll}+|\p{Latin}+[-_]\d\p{Lu}")
_SEED = regex.compile(
    r"(?<![\p{Latin}\d])(?:[A-Z2-7]{4}(?: [A-Z2-7]{4}){3,15}|[a-z2-7]{4}(?: [a-z2-7]{4}){3,15})(?![\p{Latin}\d])"
)
_ANSWER = regex.compile(
    r"(?i:answer(?: is|s|ed)?|say|put|typed|réponds|réponse(?: est| :)?|mis|antwort(?: ist| lautet|:)?|habe? ich"
    r"|答え[、はが：]|回答は|답은|답이)"
    r"[ ,:]{0,3}[\"„«「]?(?P<secret>\p{Lu}[\p{L}'’]+(?:[ -]\p{Lu}[\p{L}'’]+){0,2}"
    r"|[\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}]{2,8}?(?=に|で|だ|、|。|으로|로|이에|예요|입|야|\s*$))"
)
_CHOSEN = regex.compile(
    r"\p{Latin}{3,}\d\p{Ll}{3,}|\p{Lu}\p{Ll}{3,}_\d|\p{Lu}\p{Ll}{5,}\d|\p{Ll}{10,}\d|\p{Ll}{3,}(?:[-_]\p{Ll}{3,}){1,3}[-_]\d"
)
_HYPHENED = regex.compile(r"(?<![\w.,/-])\d{1,2}(?:-\d{1,2}){2,4}(?![\w/-])")
#: Numbers of words that a wallet may have.
_WALLETS = (12, 15, 18, 21, 24)
#: Joins the parts of a name.
_JOINTS = regex.compile(r"[-_.]")
_NUMBERED = regex.compile(r"(\p{Latin}{3,})[-_]?\d{1,4}")
#: Follows the number of a thing: 757番.
_HEADING = regex.compile(r"[:：]\s?\S")
_COUNTER = regex.compile("[番번]")
_SIGNED = regex.compile(r"[:=：]\s{0,2}$")
#: Begins the argument of a call.
_CALL = regex.compile(r"[\p{L}\d_]\($")
#: Stand before what a number is entered at.
_AT = frozenset({"am", "beim", "at", "au", "à", "sur"})
_FILE = regex.compile(r".*\.(?:\p{Latin}\w{0,6}|\p{Ll}\w*)|\d{1,3}[*-]\p{Latin}.*|\d+[*-]\p{Latin}+|.*\d\.\d.*|WPA\d.*")
#: Keys that are pressed together, time zones, names of versions with a plus.
_PLUS = regex.compile(
    r"(?i)(?:ctrl|control|strg|alt|altgr|shift|umschalt|maj|cmd|command|fn|win|windows|super|meta|opt|option|utc|gmt|\p{Latin}{1,3})\+.*|\d+\+.*"
)
#: Words with a capital each, joined by a sign.
_TWO_WORDS = regex.compile(r"\p{Lu}\p{Ll}{2,}[#+]\p{Lu}\p{Ll}{2,}")
#: Two sentences without a blank between them.
_RUN_ON = regex.compile(r"[\p{L}-]+[?!.]+(?:\p{Lu}[\p{Ll}-]+|[$€£]\d+)")
#: A number with a letter that is no unit.
_CODE = regex.compile(r"\d{4,6}[A-FXYZ]|[A-D]\d{4}")
_CAMEL = regex.compile(r"(?:\p{Lu}\p{Ll}{2,}){2,}\d{1,4}")
_GROUPS = regex.compile(r"[A-Z0-9]{3,6}(?:-[A-Z0-9]{3,6}){1,6}")
_JOINED_WORDS = regex.compile(
    r"\p{Ll}{3,12}(?:[-_]\p{Latin}{2,14}){1,6}|\p{Lu}\p{Ll}{2,12}(?:[-_]\p{Latin}{2,14}){2,6}"
)
_HUMPED = regex.compile(r"\p{Ll}{3,14}[-_]?\p{Lu}\p{Ll}{1,14}")
#: Begin words with hyphens and a capital: “non-European”.
_PREFIXES = ("pre", "non", "anti", "post", "mid", "inter", "trans", "sub", "nicht", "nord", "süd", "saint", "all")
_CALLED = regex.compile(r"\.{0,4}[,:|]|\.{2,4} ")
#: A number that is a sentence.
_SENTENCE = regex.compile(
    r"[#*]?\s?(?:ね|だよ|よ|です|だ|이야|야|예요|이에요|입니다|, ?(?:ok(?:ay)?|right|hein|gell|ja|oui))?(?:[.!?。]|$)"
)
_SENTENCES = regex.compile(r"[.!?。！？]\s{0,2}$")
#: Digits in two groups, as services send them.
_IN_ONE_TIME = regex.compile(
    r"\d{3} \d{3}|0\d\d-\d{3}|9\d\d-[0-8]\d\d|8\d\d-[0-7]\d\d|7\d\d-[0-6]\d\d|6\d\d-[0-5]\d\d|5\d\d-[0-4]\d\d"
)
_TWO = regex.compile(r"(?<![\p{Latin}\d.,:/-])\d{1,2}(?![\p{Latin}\d:/%-]|[.,]\d)")
_SYLLABLES = regex.compile(
    r"(?<!\p{Hangul})(?:[공영일이삼사오육륙칠팔구] ?){4,8}(?=[고이요예입임로으 ,.\n]|$)"
    r"|(?:ぜろ|れい|まる|いち|に|さん|よん|ご|ろく|なな|しち|はち|きゅう|ー){4,12}"
)
_KEYED = regex.compile(r"[\"'][\w-]{1,40}[\"']\s?:\s?[\"']?$")
#: Numbers of a dial are this close to each other.
_DIAL = 40
_COPULAS = frozenset({"is", "was", "ist", "war", "est", "était", ""})
#: Kinds of words that end the name of a secret.
_NAMED = frozenset({"password", "key", "pair"})
_NUMBERS = frozenset({Look.NUMBER, Look.YEAR, Look.THREE, Look.ALONE, Look.CODED})


class Candidates:
    """Finds what may be a secret in a text. Each pattern goes through the text once."""

    def __init__(self, text: str, lower: str, lexicon: Words) -> None:
        self.text = text
        self.lower = lower
        self.lexicon = lexicon

    def __iter__(self) -> Iterator[Suspect]:
        for match in _CARD.finditer(self.text):
            yield Suspect(*match.span(), Look.CARD)
        for match in _QUOTED.finditer(self.text):
            tokens = match["secret"].lower().split()
            plain_count = sum(word in self.lexicon.plain for word in tokens)
            signed = (
                _SIGNED.search(self.text, max(0, match.start() - 3), match.start()) and len(tokens) - plain_count >= 2
            )
            if plain_count * 2 <= len(tokens) or signed:
                yield Suspect(*match.span("secret"), Look.QUOTED)
        for match in _SPOKEN.finditer(self.text):
            value = match["secret"]
            if shape_of(value) is Shape.PLACEHOLDER:
                continue
            if "." not in value or (
                value[0].isupper() and any(label[0].islower() for label in value.split(".") if label)
            ):
                yield Suspect(*match.span("secret"), Look.SPOKEN)
        for match in _HYPHENED.finditer(self.text):
            yield Suspect(*match.span(), Look.DIAL)
        for match in WALLET.finditer(self.text):
            tokens = match[0].replace(",", "").split()
            joining = any(word in self.lexicon.plain or word in self.lexicon.scopes for word in tokens)
            if len(tokens) in _WALLETS and not joining:
                yield Suspect(*match.span(), Look.SEED)
        for match in _SEED.finditer(self.text):
            if any(map(str.isdigit, match[0])):
                yield Suspect(*match.span(), Look.MACHINE)
        for match in _ANSWER.finditer(self.text):
            yield Suspect(*match.span("secret"), Look.ANSWER)
        yield from self._numbers()
        yield from self._turned()
        for match in _VALUE.finditer(self.text):
            value = match[0].rstrip(".,:;?…-")
            look = _look_of(value)
            if look is not None:
                yield Suspect(match.start(), match.start() + len(value), look)

    def _numbers(self) -> Iterator[Suspect]:
        for match in _NUMBER.finditer(self.text):
            if not self.lexicon.counts(self.lower, match.end()):
                yield Suspect(*match.span(), self._look_of_number(match))
        for match in self.lexicon.spelled.finditer(self.lower):
            yield Suspect(*match.span(), Look.CODED if self._is_coded(match.start()) else Look.NUMBER)
        for match in _SYLLABLES.finditer(self.text):
            if len(set(match[0].replace(" ", ""))) >= 3:
                yield Suspect(match.start(), match.start() + len(match[0].rstrip()), Look.NUMBER)

    def _look_of_number(self, match: "regex.Match[str]") -> Look:
        if YEAR.fullmatch(match[0]):
            return Look.YEAR
        if self._is_coded(match.start()):
            return Look.CODED
        if _IN_ONE_TIME.fullmatch(match[0]):
            return Look.CHOSEN
        if _SENTENCE.match(self.text, match.end()) and _SENTENCES.search(
            self.text, max(0, match.start() - 3), match.start()
        ):
            return Look.ALONE
        start = self.text.rfind("\n", max(0, match.start() - 40), match.start()) + 1 or max(0, match.start() - 40)
        end = self.text.find("\n", match.end(), match.end() + 40)
        neighbourhood = (
            self.text[start : match.start()] + self.text[match.end() : end if end >= 0 else match.end() + 40]
        )
        neighbour_chars = len(neighbourhood.strip(" *#\n\t"))
        if neighbour_chars == 0 or (neighbour_chars <= 24 and JOINED.search(neighbourhood)):
            return Look.ALONE
        return Look.THREE if len(match[0]) == 3 else Look.NUMBER

    def _turned(self) -> Iterator[Suspect]:
        """Yields the numbers of dials: “left to 31, right to 07, left again to 58”."""
        run: list[Suspect] = []
        for match in _TWO.finditer(self.text):
            if run and match.start() - run[-1].stop > _DIAL:
                yield from run if len(run) >= 3 else ()
                run = []
            run.append(Suspect(*match.span(), Look.TURNED))
        yield from run if len(run) >= 3 else ()

    def _is_coded(self, start: int) -> bool:
        """True if a word for a code stands directly before a number."""
        _, before = self._words_before(start)
        cue = self.lexicon.cues.single.get(before, 0)
        return bool(cue & Cue.OPENED and cue & Cue.SECRET)

    def _is_other(self, start: int) -> bool:
        """True if the word before a value says that it is something else: a user, a flight, an order."""
        first, before = self._words_before(start)
        joined = self.lower[max(0, start - 12) : start].endswith(self.lexicon.joined_others)
        return joined or before in self.lexicon.others or f"{first} {before}" in self.lexicon.others

    def _words_before(self, start: int) -> tuple[str, str]:
        """Returns the two words before a value, without “is”."""
        tokens = [word.strip(" :=#.「“\"'(*`") for word in self.lower[max(0, start - 32) : start].split()[-3:]]
        if tokens and tokens[-1] in _COPULAS:
            tokens.pop()
        return tokens[-2] if len(tokens) > 1 else "", tokens[-1] if tokens else ""

    def settled(self, suspect: Suspect) -> Look | None:
        """Returns what a value looks like in its place; None if it is something else there."""
        value = self.text[suspect.start : suspect.stop]
        start = suspect.start
        look = suspect.look
        if _CALL.search(self.text, max(0, start - 2), start) and value.isidentifier():
            return None
        if look in (
            Look.HARD,
            Look.MACHINE,
            Look.CARD,
            Look.DIAL,
            Look.SEED,
            Look.QUOTED,
            Look.ANSWER,
            Look.TURNED,
            Look.SPOKEN,
        ):
            return look
        if self._is_other(start):
            return None
        if look in _NUMBERS:
            if _HEADING.match(self.text, suspect.stop):
                return None
            before, thing = (["", "", *self.lower[max(0, start - 24) : start].rpartition(" ")[0].split(" ")])[-2:]
            opened = self.lexicon.cues.single.get(thing, 0)
            if (
                _COUNTER.match(self.text, suspect.stop)
                and self.lexicon.cues.said(self.lower[max(0, start - 4) : start]) & Cue.OPENED
            ):
                return None
            numbered = opened & (Cue.OPENED | Cue.SECRET | Cue.ENTERING) == Cue.OPENED and before not in _AT
            return None if numbered else look
        if look is Look.TOLD or (look is Look.NAME and len(value) >= 8):
            before = self.lower[max(0, start - 20) : start]
            if not JOINED.search(self.text, max(0, start - 20), start + len(value) + 20):
                return look if look is Look.NAME else None
            if look is Look.TOLD and not self.lexicon.cues.said(before) & Cue.SECRET:
                return None
            look = Look.CHOSEN if look is Look.NAME else look
        if self.text[start - 1 : start] in ('"', "'") and _KEYED.search(self.text, max(0, start - 48), start):
            return None
        begins = start == 0 or self.text[start - 1] == "\n"
        if begins and _CALLED.match(self.text, start + len(value)):
            return Look.CALLED if look is Look.MIXED and self.text[start + len(value)] == "," else None
        return look


@lru_cache(4096)
def _look_of(value: str) -> Look | None:
    letters = sum(map(str.isalpha, value))
    digits = sum(map(str.isdigit, value))
    sign = _SIGN.search(value) is not None
    if len(value) < 5 or not letters:
        return None
    if not digits and not sign:
        return _look_of_words(value)
    if _HEX.fullmatch(value):
        return Look.HEX if len(value) >= 16 and digits >= 3 and letters >= 3 else None
    shape = shape_of(value)
    if shape < Shape.NUMBER or UUID.fullmatch(value) or _FILE.fullmatch(value) or _HOST.fullmatch(value):
        return None
    if "@" in value and not (digits and value != value.lower() and shape >= Shape.STRONG):
        return None
    if _RUN_ON.fullmatch(value):
        return None
    if _names_secret(value):
        return None
    thing = _NUMBERED.fullmatch(value)
    if thing is not None and (thing[1].lower() in words().plain or words().cues.said(thing[1].lower()) & Cue.OTHER):
        return None
    if "+" in value and _PLUS.fullmatch(value):
        return None
    if sign:
        if not digits and (
            (("#" in value or "+" in value) and not _TWO_WORDS.fullmatch(value)) or value[1:] == value[1:].lower()
        ):
            return None
        return (Look.MACHINE if shape is Shape.MACHINE and len(value) >= 40 else Look.HARD) if digits else Look.MIXED
    if _GROUPS.fullmatch(value):
        groups = value.split("-")
        mixed = sum(not group.isdigit() and not group.isalpha() for group in groups)
        return Look.GROUPS if mixed * 2 >= len(groups) else None
    if _CODE.fullmatch(value):
        return Look.NUMBER
    if _CAPITALS.fullmatch(value):
        return Look.NAME
    if shape is Shape.MACHINE and len(value) >= 20 and not _CAMEL.fullmatch(value):
        return Look.MACHINE
    if len(value) >= 9 and _CHOSEN.fullmatch(value):
        return Look.CHOSEN
    if _NAME.fullmatch(value) and value.isascii() and not _HUMPED.match(value):
        return Look.NAME
    return Look.MIXED if letters >= 2 else None


def _names_secret(value: str) -> bool:
    """True if a value is the name of a secret: `db-credentials-37`, `vault_db_password_4`."""
    pieces = [piece for piece in _JOINTS.split(value.lower()) if not piece.isdigit()]
    return len(pieces) > 1 and all(map(str.isalpha, pieces)) and words().kind_of(pieces[-1]) in _NAMED


def _look_of_words(value: str) -> Look | None:
    """Returns the look of words with hyphens: `copper-violin-mosaic-tundra`, `azerty-Mouette`."""
    if not _JOINED_WORDS.fullmatch(value):
        return None
    pieces = value.lower().replace("_", "-").split("-")
    lexicon = words()
    if any(piece in lexicon.plain or lexicon.cues.said(piece) for piece in pieces):
        return None
    if _HUMPED.fullmatch(value) and pieces[0] not in _PREFIXES:
        return Look.HUMPED
    return Look.WORDS if len(pieces) >= 4 else Look.TOLD if value.islower() else None
