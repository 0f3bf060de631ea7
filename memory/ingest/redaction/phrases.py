"""Secrets that are words: one that is no more than a word, several, or a sentence. What a person says about a secret
(“required”, “abgelaufen”, 없음) looks the same, so the words of such sayings are known: `plain`, `endings`,
`beginnings` and `predicates` of `data/secret_words`."""

import regex

from .values import Shape, shape_of
from .words import Words, bare

_SCRIPT = r"\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}ー"
_WORD = regex.compile(r"\p{L}[\p{Latin}'’_-]{2,31}+[!?]{0,2}")
_WORDS = regex.compile(r"\p{L}[\p{Latin}'’-]{0,14}+(?: \p{L}[\p{Latin}'’-]{0,14}+){1,3}+")
#: What a clause ends with.
_END = regex.compile(
    r"\s{0,2}(?:[.,;!)\]\n–—。、」』”»\"'（]|$)|\s\("
    r"|\s(?:still|now|btw|but|and|noch|und|aber|et|mais)\b"
    r"|(?:です|だよ|だ(?=[。、！!\s]|$)|でし|이에요|예요|이야|야|입니다|임|이다|이래|래|라고|이라고)"
)
#: What a value of a setting ends with, on the same line as another setting or not.
_SETTING_END = regex.compile(r"[\"'&]|\s|$")
_LINE_END = regex.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|$)")
_JOINED_WORD = regex.compile(
    rf"(?P<word>[{_SCRIPT}]{{2,12}}?)(?:です|だよ|だ(?=[。、！!\s]|$)|でし|이에요|예요|이야|야|입니다|임|이다|이래|래|라고|이라고"
    r"|\s{0,2}(?:[。.!！,、\n)）]|$))"
)
_JOINED_LINK = regex.compile(r"\s?(?:は、?|：|:|→|=|는|은)\s{0,2}")
_PARTICLES = regex.compile("[はがをにでもへ]")
_PIECE = regex.compile(r"[\p{L}\p{N}'’-]+")
_PIECES = regex.compile(r"[_\s-]+")
_VARIABLE = regex.compile(r"(?:export |set |ENV )?[A-Z][A-Z0-9_]*")
_NAME = regex.compile(r"[\s>#-]*[\"']?[\p{L}_][\w .-]*[\"']?")
_CODE = regex.compile(r"[(){};]")
#: Begin where a secret is rather than what it is.
_PLACE = regex.compile(r"\b(?:in|into|im|am|an|at|on|to|auf|en|dans|par|avec|with|mit|der|dem|the)\s$")
_GENITIVE = regex.compile(r"\b(?:of|of the|of your|du|de|des|der)\s$")
_SEVERAL = regex.compile(
    r"(?:\p{L}[\p{Ll}'’-]{0,14}|\d{1,4})(?:[ -](?:\p{L}[\p{Ll}'’-]{0,14}|\d{1,4})){1,8}+(?=\s{0,2}(?:[.,;!)\n–—]|$))"
)
_APPLICATION = regex.compile(r"[a-z]{4}(?: [a-z]{4}){3}(?![ a-z])")
_YEAR = regex.compile(r"(?:19|20)\d\d")
_IS_JOINED = regex.compile(rf"[{_SCRIPT}]")
#: Most words before several that are a password: “passphrase *just* …”.
_SAYINGS = 3
#: Characters around a value in which code is looked for.
_AROUND = 160


def is_said(word: str, known: Words) -> bool:
    """True if a word, in lower case, says something about a secret rather than being one."""
    return (
        word in known.plain
        or word in known.glue
        or word in known.scopes
        or word in known.connected
        or bare(word) in known.kinds
    )


def is_predicate(word: str, known: Words) -> bool:
    """True if a word, in lower case, may be an adjective or a participle."""
    return known.predicates.fullmatch(word) is not None


def is_secret_word(value: str, known: Words, least: int) -> bool:
    """True if a word may be a secret: of `least` letters, or with a capital inside a sentence."""
    lower = value.lower().rstrip("!?")
    pieces = [piece for piece in _PIECES.split(lower) if piece]
    if is_said(lower, known) or any(is_said(piece, known) for piece in pieces):
        return False
    if value[0].isupper():
        return len(lower) >= 4
    return len(lower) >= least and not is_predicate(lower, known)


def word_in_prose(
    text: str,
    lower: str,
    label: tuple[int, int],
    at: int,
    known: Words,
    *,
    any_word: bool,
    weak: bool,
    linked: bool,
    direct: bool,
) -> tuple[int, int] | None:
    """Returns the range of a word, or of several, that is told as a password. `label`: the range of the word for it;
    `any_word`: whether any word may be one, as for “codeword”; `weak`: whether the label means other things as well;
    `linked`, `direct`: whether a verb or a sign stands before."""
    aside = text[at - 1 : at] in ("(", "[", "（") or _PLACE.search(lower, max(0, at - 6), at) is not None
    if aside or _GENITIVE.search(lower, max(0, label[0] - 8), label[0]) or lower.startswith("worts", label[1] - 5):
        return None
    if _IS_JOINED.match(text, at):
        told = any_word and _JOINED_LINK.fullmatch(text, label[1], at) is not None
        joined = _JOINED_WORD.match(text, at) if told else None
        if joined is None or _PARTICLES.search(joined["word"]) or known.joined_predicates.search(joined["word"]):
            return None
        return joined.span("word")
    if any_word and (linked or direct):
        several = _WORDS.match(text, at)
        if several is not None and _END.match(text, several.end()):
            pieces = several[0].lower().split()
            if not any(is_said(piece, known) for piece in pieces):
                return several.span()
    word = _WORD.match(text, at)
    if word is None or shape_of(word[0]) is not Shape.WORD:
        return None
    value = word[0]
    ended = _END.match(text, word.end()) is not None
    divided = "_" in value[1:-1] and not value.isupper()
    if divided and (linked or direct or not value.islower()) and is_secret_word(value, known, 6):
        return word.span()
    if weak:
        return None
    if not ended or not (linked or direct):
        return word.span() if any_word and ended and value[0].isupper() and is_secret_word(value, known, 4) else None
    least = 4 if any_word else 6 if direct else 8
    return word.span() if is_secret_word(value, known, least) else None


def word_in_setting(
    text: str, lower: str, label: tuple[int, int], found: tuple[int, int], sign: str, known: Words
) -> bool:
    """True if a word is the value of a setting: `DB_PASSWORD=sommerzeit`, a line `password: sommerzeit`."""
    value = text[slice(*found)]
    if not value.isalnum() or shape_of(value) is not Shape.WORD:
        return False
    line = text.rfind("\n", max(0, label[0] - 60), label[0]) + 1
    if sign == "=" and _VARIABLE.fullmatch(text, line, found[0] - 1):
        lowered = value.lower()
        return len(value) >= 4 and lowered not in known.plain and bare(lowered) not in known.kinds
    if not value.islower() or not is_secret_word(value, known, 6):
        return False
    if sign == "=":
        return _SETTING_END.match(text, found[1]) is not None
    alone = _LINE_END.match(text, found[1]) is not None and _NAME.fullmatch(text, line, label[1]) is not None
    return alone and _CODE.search(text, max(0, line - _AROUND), found[1] + _AROUND) is None


def word_in_quotes(value: str, known: Words) -> bool:
    """True if a word in quotes in code is a password rather than the name of a field or a message."""
    return value.isalpha() and value.islower() and is_secret_word(value, known, 6)


def is_phrase(value: str, known: Words) -> bool:
    """True if several words may be a secret, and do not say something about one."""
    pieces = _PIECE.findall(value.lower())
    if not pieces or len(value) > 160 or shape_of(value.replace(" ", "-")) is Shape.PLACEHOLDER:
        return False
    told = sum(piece in known.plain for piece in pieces)
    labels = sum(known.kinds.get(bare(piece)) is not None for piece in pieces)
    if _IS_JOINED.search(value):
        return (
            not known.places_of(value.lower())
            and not any(word in value for word in known.plain if not word.isascii())
            and 3 <= len(value) <= 24
        )
    return not labels and told * 2 <= len(pieces) and (len(pieces) >= 3 or any(map(str.isdigit, value)) or told == 0)


def has_saying(value: str, known: Words) -> bool:
    """True if one of several words says something about a secret."""
    return any(piece in known.plain for piece in _PIECE.findall(value.lower()))


def several_words(text: str, at: int, label: str, known: Words, *, linked: bool) -> tuple[int, int] | None:
    """Returns the range of several words that are a password, up to the end of their clause. `label`: the word for it;
    `linked`: whether a verb or a sign stands before."""
    application = _APPLICATION.match(text, at)
    if application is not None and linked:
        return application.span()
    for _ in range(0 if linked else _SAYINGS):
        saying = _PIECE.match(text, at)
        if saying is None or not is_said(saying[0].lower(), known):
            break
        at = saying.end() + 1
    match = _SEVERAL.match(text, at)
    if match is None or _IS_JOINED.search(match[0]):
        return None
    pieces = match[0].lower().split()
    told = sum(piece in known.plain or piece in known.glue or piece in known.scopes for piece in pieces)
    counted = any(known.units.fullmatch(piece.rstrip("sn")) or known.units.fullmatch(piece) for piece in pieces)
    if counted or any(known.kinds.get(bare(piece)) for piece in pieces):
        return None
    if any(word in label for word in ("phrase", "satz")):
        worded = len(pieces) >= 3 and told * 3 <= len(pieces) and not is_predicate(pieces[0], known)
        return match.span() if worded and (linked or any(map(str.isdigit, match[0]))) else None
    if told or pieces[0].isdigit() or not any(map(str.isdigit, match[0])) or _YEAR.search(match[0]):
        return None
    return match.span() if len(pieces) >= (2 if linked else 3) else None
