"""Acceptance of a value beside a word for a secret: by the kind of the word, by how the two are joined, and by what the
value looks like.

A word, or several, may be a secret as well. What a person says about a secret (“required”, “abgelaufen”, 없음) looks
the same, so the words of such sayings are known: `plain`, `endings`, `beginnings` and `predicates` of
`data/secret_words`.
"""

from enum import IntEnum

import regex

from .labels import Label
from .ranges import Range
from .values import UUID, YEAR, Shape, shape_of
from .words import JOINED, SCRIPTS, Cue, Words, bare


class Link(IntEnum):
    """Ways in which a value is joined with the word for it, the strongest last."""

    #: other words stand between
    NONE = 0
    #: nothing stands between
    NEXT = 1
    #: a verb, or what is like one
    VERB = 2
    #: `:`, `=`
    SIGN = 3


#: What follows a value in Japanese and Korean.
_COPULA = (
    r"です|だよ|だ(?=[。、！!\s]|$)|でし|に(?:した|して|変|設定)|이에요|예요|이야|야|입니다|임|이다|이래|래|라고|이라고|였|이었|인데"
    r"|으?로 (?:했|해|바|변|설|통|정)"
)
_WORD = regex.compile(r"\p{L}[\p{Latin}'’_-]{2,31}+[!?]{0,2}")
_WORDS = regex.compile(r"\p{L}[\p{Latin}'’-]{0,14}+(?: \p{L}[\p{Latin}'’-]{0,14}+){1,3}+")
#: What a clause ends with.
_END = regex.compile(
    rf"\s{{0,2}}(?:\.(?![\p{{L}}\d_])|[,;!)\]\n–—。、」』”»\"'（]|$)|\s\(|\s(?:still|now|btw|like|wie|comme|but|and|noch|und|aber|et|mais)\b|(?:{_COPULA})"
)
#: What a value of a setting ends with, on the same line as another setting or not.
_SETTING_END = regex.compile(r"[\"'&]|\s|$")
_LINE_END = regex.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|$)")
_JOINED_WORD = regex.compile(rf"(?P<word>[{SCRIPTS}ー]{{2,12}}?)(?:{_COPULA}|\s{{0,2}}(?:[。.!！,、\n)）]|$))")
_JOINED_LINK = regex.compile(r"\s?(?:は、?|：|:|→|=|는|은)\s{0,2}| ")
_PARTICLES = regex.compile("[はがをにでもへ]")
_PIECE = regex.compile(r"[\p{L}\p{N}'’-]+")
_DIVISION = regex.compile(r"[_\s-]+")
_NAME_BEFORE = regex.compile(r"(?r)[\p{L}\d_.-]+")
#: Begin names of what is said about secrets: `forgot_password`.
_MESSAGE = regex.compile(
    r"(?i)(?:message|meldung|texte|forgot|show|hide|reset|wrong|invalid|bad|change|confirm|enter|missing|empty|no|err"
    r"|error|msg|label|hint|help|prompt|requires?|repeat|choose|update|title|text|placeholder)(?:[_.-]|(?-i:(?=[A-Z])))"
)
_DIVIDED_WORDS = regex.compile(r"\p{L}{2,16}(?:([_-])\p{L}{1,16}+)(?:\1\p{L}{1,16}+){1,7}+")
#: Follows a value in a line of a log.
_LOGGED = regex.compile(r"\s[\w.]{1,30}+=\S")
_ONE = regex.compile(r"[\s>#-]{0,60}(?:export |set )?[\"']?[\p{L}\d_.-]+$")
#: Several words of a setting: to the end of the line, in a tag, and in a line of a log.
_LINE = regex.compile(r"\p{N}{0,4}\p{L}[\p{L}\p{N}'’!?,.&-]{0,23}+(?: [\p{L}\p{N}'’!?,.&-]{1,24}+){1,9}+")
_TAGGED = regex.compile(r"[^\s<>]{1,24}+(?: [^\s<>]{1,24}+){1,9}+(?=</)")
_RUN = regex.compile(
    r"\p{L}[\p{L}'’-]{0,23}+(?: (?![^\s]{1,40}?[=:/\\(.])[\p{L}'’][\p{L}'’-]{0,23}+(?=[\s,;\"']|$)){2,8}+"
)
_OTHER_SETTING = regex.compile(r"[\s>#-]{0,40}[\"']?[\w.-]{1,40}[\"']?\s?[:=]")
_SETTING = regex.compile(r"[\s>#-]*[\"']?[\p{L}_][\w .-]*[\"']?")
#: Stand before a word for a passphrase whose words follow it: “hat die Passphrase …”.
_HAD = regex.compile(r"\b(?:has|have|with|hat|haben|mit|a|ont|avec)(?: (?:the|a|as|die|eine|la|une|pour|comme))?\s$")
_DOTTED = regex.compile(r"\p{Ll}{3,12}(?:\.\p{Ll}{3,12}){2,4}+(?=\.?(?:[\s,;!)]|$))")
_WORDED = regex.compile("phrase|フレーズ|合言葉|문구|문장")
_CODE = regex.compile(r"[(){};]")
#: Begin where a secret is rather than what it is.
_PLACE = regex.compile(r"\b(?:in|into|im|am|an|at|on|to|auf|en|dans|par|avec|with|mit|der|dem|the)\s$|[(\[（]$")
_GENITIVE = regex.compile(r"\b(?:of|of the|of your|du|de|des|der)\s$")
#: Begins a sentence about what is done with a secret: “Lending a password is …”, « Prêter son mot de passe est … ».
_ACTION = regex.compile(r"(?r)\p{Lu}\p{L}{2,12}(?:ing|er|ir|re) (?:\p{L}{1,8} ){1,2}")
_SEVERAL = regex.compile(
    r"(?:\p{L}[\p{Ll}'’-]{0,14}|\d{1,4})(?:[ -](?:\p{L}[\p{Ll}'’-]{0,14}|\d{1,4})){1,8}+(?=\s{0,2}(?:[.,;!)\n–—]|$))"
)
_APPLICATION = regex.compile(r"[a-z]{4}(?: [a-z]{4}){3}(?![ a-z])")
_NAME = regex.compile(r"\$?[A-Za-z_]\w*(?:[.:/-]{1,2}[A-Za-z_]\w*)*\d{0,2}|[a-z]+(?:-[a-z]+)*-?\d{0,2}")
_MIXED = regex.compile(
    r"[a-z]\d[a-z]|\d[A-Za-z]*\d|[a-z]{2}\d[A-Za-z]|[A-Z][a-z]+\d|[a-z][A-Z][a-z]*\d|\d[A-Z]|\d[a-z]+[A-Z]"
)
#: Most words before several that are a password: “passphrase *just* …”.
_SAYINGS = 3
#: Characters around a value in which code is looked for.
_AROUND = 160


def accepts(kind: str, value: str, link: Link, lexicon: Words, *, quoted: bool = False, strict: bool = False) -> bool:
    """True if a value is a secret of a kind. `quoted`: whether it stands in quotes; `strict`: whether a word in quotes
    may be something else, as in code."""
    direct = link is Link.SIGN
    has_link = link > Link.NONE
    digits = sum(map(str.isdigit, value))
    if quoted and kind == "password" and _APPLICATION.fullmatch(value):
        return True
    if quoted and (" " in value or JOINED.search(value)):
        hard = not strict or (digits > 0 and not has_saying(value, lexicon))
        return kind in ("password", "code") and hard and is_phrase(value, lexicon)
    shape = shape_of(value)
    if shape is Shape.PLACEHOLDER or value.lower().strip("!?.*") in lexicon.plain:
        return False
    if kind == "machine":
        return shape is Shape.MACHINE and link >= Link.VERB and len(value) >= 20 and not _is_identifier(value)
    if kind == "key":
        min_chars = 6 if direct else 8
        strong = direct or (link is Link.VERB and digits >= 2)
        return (shape is Shape.MACHINE and has_link) or (
            shape is Shape.STRONG and strong and len(value) >= min_chars and not is_name(value)
        )
    if kind == "code":
        if shape is Shape.NUMBER:
            return (has_link or digits >= 4) and digits >= 3 and len(value) <= 20
        return shape is Shape.STRONG and link >= Link.VERB and digits >= 2 and not is_name(value)
    if shape is Shape.NUMBER:
        return has_link and digits >= 4 and "." not in value and kind != "weak"
    if shape is Shape.WORD:
        usual = kind != "weak" and quoted
        return usual and ((not strict and len(value) >= 4) or (direct and is_quoted_word(value, lexicon)))
    named = is_name(value)
    if kind == "weak":
        return has_link and len(value) >= 6 and not (named and digits < (1 if quoted and direct else 2))
    if direct and not quoted and named:
        return digits >= 1 and "_" not in value
    return (has_link and (direct or quoted)) or (len(value) >= 6 and not (named and not digits))


def _is_identifier(value: str) -> bool:
    return ":" in value or UUID.fullmatch(value) is not None


def is_name(value: str) -> bool:
    """True if a value may be the name of a variable, a file or a package."""
    return _NAME.fullmatch(value) is not None and not _MIXED.search(value)


def words_at(text: str, lower: str, label: Label, kind: str, at: int, link: Link, lexicon: Words) -> Range | None:
    """Returns the range of a word, or of several, at a place that are told as a password."""
    if label.name and not (label.any_word and link is Link.SIGN):
        return None
    several = _several(text, at, lower, label, link, lexicon) if kind != "weak" else None
    return several or _word(text, lower, label, kind, at, link, lexicon)


def _word(text: str, lower: str, label: Label, kind: str, at: int, link: Link, lexicon: Words) -> Range | None:
    any_word = label.any_word and kind != "weak"
    genitive = _GENITIVE.search(lower, max(0, label.start - 8), label.start)
    if genitive or lower.startswith("worts", label.stop - 5) or _PLACE.search(lower, max(0, at - 6), at):
        return None
    if JOINED.match(text, at):
        joint = _JOINED_LINK.fullmatch(text, label.stop, at) if any_word else None
        joined = _JOINED_WORD.match(text, at) if joint is not None else None
        quoted = joint is not None and (joint[0] != " " or (joined is not None and joined[0].endswith("라고")))
        if (
            joined is None
            or not quoted
            or _PARTICLES.search(joined["word"])
            or lexicon.joined_predicates.search(joined["word"])
        ):
            return None
        return joined.span("word")
    linked = link >= Link.VERB
    if link is Link.VERB and _ACTION.match(text, max(0, label.start - 40), label.start):
        return None
    if any_word and linked:
        several = _WORDS.match(text, at)
        if several is not None and _END.match(text, several.end()) and not _has_said(several[0].lower(), lexicon):
            return several.span()
    word = _WORD.match(text, at)
    if word is None or shape_of(word[0]) is not Shape.WORD:
        return None
    value = word[0]
    dotted = _DOTTED.match(text, at) if linked and kind == "password" else None
    if dotted is not None and not any(_is_said(piece, lexicon) for piece in dotted[0].split(".")):
        return dotted.span()
    divided = "_" in value[1:-1] and not value.isupper()
    if divided and (linked or not value.islower()) and _is_secret(value, lexicon, 6):
        return word.span()
    if kind == "weak" or not _END.match(text, word.end()):
        return None
    if not linked:
        return word.span() if any_word and value[0].isupper() and _is_secret(value, lexicon, 4) else None
    return word.span() if _is_secret(value, lexicon, 4 if any_word else 6 if link is Link.SIGN else 8) else None


def _several(text: str, at: int, lower: str, label: Label, link: Link, lexicon: Words) -> Range | None:
    linked = link >= Link.VERB
    start = label.start
    spelled = lower[label.start : label.stop]
    application = _APPLICATION.match(text, at)
    if application is not None and linked:
        return application.span()
    for _ in range(0 if linked else _SAYINGS):
        saying = _PIECE.match(text, at)
        if saying is None or not _is_said(saying[0].lower(), lexicon):
            break
        at = saying.end() + 1
    match = _SEVERAL.match(text, at)
    if match is None or JOINED.search(match[0]):
        return None
    pieces = match[0].lower().split()
    plain_count = sum(piece in lexicon.plain or piece in lexicon.glue or piece in lexicon.scopes for piece in pieces)
    counted = any(lexicon.units.fullmatch(piece.rstrip("sn")) or lexicon.units.fullmatch(piece) for piece in pieces)
    other = any(lexicon.cues.said(piece) & Cue.OTHER for piece in pieces)
    if counted or other or any(lexicon.kinds.get(bare(piece)) for piece in pieces):
        return None
    digits = any(map(str.isdigit, match[0]))
    if "phrase" in spelled or "satz" in spelled:
        had = _HAD.search(text, max(0, start - 24), start) is not None and len(pieces) >= 4
        worded = (
            len(pieces) >= 3
            and plain_count * (2 if link is Link.SIGN or had else 3) <= len(pieces)
            and not lexicon.predicates.fullmatch(pieces[0])
        )
        return match.span() if worded and (linked or digits or had) else None
    if plain_count or pieces[0].isdigit() or not digits or YEAR.search(match[0]):
        return None
    if len(pieces) == 2 and pieces[1].isdigit() and _PLACE.search(text, max(0, at - 6), at):
        return None  # “… steht auf Blatt 46”
    return match.span() if len(pieces) >= (2 if linked else 3) else None


def setting(text: str, lower: str, label: Label, value: Range, sign: str, lexicon: Words) -> Range | None:
    """Returns the range of a word, or of several, that are the value of a setting: `DB_PASSWORD=sommerzeit`, a line
    `psk=frogs sing at night`. `value`: the range up to the first blank; `sign`: what joins it with its name."""
    line = text.rfind("\n", max(0, label.start - 60), label.start) + 1
    name = _name_of(text, label)
    if _MESSAGE.match(name):
        return None
    variable = sign.strip("\"' ") == "=" and (name.isupper() if name.isascii() else JOINED.search(name) is not None)
    neighbourhood = text[max(0, line - _AROUND) : value[1] + _AROUND]
    alone = _SETTING.fullmatch(text, line, label.stop) is not None and _CODE.search(neighbourhood) is None
    phrase = is_worded(lower, label)
    words = None
    if sign.endswith(">"):
        words = _TAGGED.match(text, value[0])
    elif alone and (phrase or (not variable and _ONE.match(text, line, label.stop))):
        words = _line_words(text, line, value[0], label.name or "=" in sign or phrase)
    if words is None and sign == "=" and (phrase or (variable and label.kind == "password")):
        words = _run(text, value[0], phrase, lexicon)
    if words is not None and not _begins_saying(words[0], lexicon) and is_phrase(words[0], lexicon, setting=label.name):
        return words.span()
    word = text[slice(*value)]
    logged = sign == "=" and label.kind == "password" and _LOGGED.match(text, value[1]) is not None
    if _DIVIDED_WORDS.fullmatch(word) and (variable or logged or (alone and "=" in sign)):
        return value if not word.isupper() and is_phrase(_DIVISION.sub(" ", word), lexicon, setting=True) else None
    return value if _is_set_word(text, label, value, sign, variable, alone, lexicon) else None


def is_worded(lower: str, label: Label) -> bool:
    """True if a word for a secret says that it has several words."""
    return _WORDED.search(lower, label.start, label.stop) is not None


def is_chosen_word(value: str, lexicon: Words, *, entered: bool) -> bool:
    """True if a word before “as the password” is one: several with hyphens, or with a capital after a word for
    entering it."""
    divided = _DIVIDED_WORDS.fullmatch(value)
    if divided is not None:
        return len(_DIVISION.split(value)) >= 3 and is_phrase(_DIVISION.sub(" ", value), lexicon, setting=True)
    return entered and value.isalpha() and value[0].isupper() and value[1:].islower() and _is_secret(value, lexicon, 6)


def _name_of(text: str, label: Label) -> str:
    """Returns the whole name that a word for a secret ends."""
    name = _NAME_BEFORE.match(text, max(0, label.start - 40), label.stop)
    return name[0] if name is not None else ""


def _line_words(text: str, line: int, at: int, named: bool) -> "regex.Match[str] | None":
    """Finds several words up to the end of a line, which stands beside other settings if nothing else shows that it is
    one. `named`: whether its sign or its name does."""
    words = _LINE.match(text, at)
    end = _LINE_END.match(text, words.end()) if words is not None else None
    if end is None:
        return None
    before = text.rfind("\n", max(0, line - 81), max(0, line - 1)) + 1 if line else end.end()
    return words if named or any(_OTHER_SETTING.match(text, place) for place in (before, end.end())) else None


def _run(text: str, at: int, phrase: bool, lexicon: Words) -> "regex.Match[str] | None":
    """Finds several words in a line of a log. What is no passphrase has small words in it, unlike a command."""
    words = _RUN.match(text, at)
    small = words is not None and any(word in lexicon.plain or word in lexicon.scopes for word in words[0].split())
    return words if phrase or small or (words is not None and JOINED.search(words[0])) else None


def _begins_saying(words: str, lexicon: Words) -> bool:
    begins = words.lower().split()[0]
    return begins in lexicon.plain and begins not in lexicon.glue and begins not in lexicon.before


def _is_set_word(text: str, label: Label, value: Range, sign: str, variable: bool, alone: bool, lexicon: Words) -> bool:
    """True if one word is the value of a setting."""
    word = text[slice(*value)]
    if not word.isalnum() or shape_of(word) is not Shape.WORD:
        return False
    if variable:
        is_plain = word.lower() in lexicon.plain or bare(word.lower()) in lexicon.kinds
        return len(word) >= (4 if label.kind == "password" else 8) and not is_plain and not word.isupper()
    if JOINED.search(word):
        if is_worded(text, label):
            return alone and _LINE_END.match(text, value[1]) is not None and len(word) <= 40
        predicate = (
            _PARTICLES.search(word) or lexicon.joined_predicates.search(word) or JOINED.search(text[label.start])
        )
        return alone and predicate is None and _LINE_END.match(text, value[1]) is not None and is_phrase(word, lexicon)
    chosen = label.kind == "password" or (alone and "secret" in _name_of(text, label).lower())
    if not chosen or not is_quoted_word(word, lexicon):
        return False
    if sign.endswith(">"):
        return text.startswith("</", value[1])
    if sign == "=":
        return _SETTING_END.match(text, value[1]) is not None
    return alone and _LINE_END.match(text, value[1]) is not None


def is_named(text: str, label: Label, value: Range, sign: str) -> bool:
    """True if several words in quotes are what a setting is set to, rather than a message about it."""
    words = text[slice(*value)]
    name = _name_of(text, label)
    several = " " in words or ("=" in sign and JOINED.search(words) is not None)
    if not several or ("," in sign and not name.isupper()) or _MESSAGE.match(name) or words[-1] in ".?:…":
        return False
    return sign.strip(" \"'") == "=" or not words[0].isupper() or len(name) > label.stop - label.start


def is_quoted_word(value: str, lexicon: Words) -> bool:
    """True if a word in quotes in code is a password rather than the name of a field or a message."""
    return value.isalpha() and value.islower() and _is_secret(value, lexicon, 6)


def is_phrase(value: str, lexicon: Words, *, setting: bool = False) -> bool:
    """True if several words may be a secret, and do not say something about one. `setting`: whether a setting has them
    as its value, which says less about itself."""
    pieces = _PIECE.findall(value.lower())
    if not pieces or len(value) > 160 or shape_of(value.replace(" ", "-")) is Shape.PLACEHOLDER:
        return False
    if JOINED.search(value):
        has_plain_word = any(word in value for word in lexicon.plain if not word.isascii())
        return 3 <= len(value) <= 24 and not has_plain_word and not lexicon.places_of(value.lower())
    plain_count = sum(piece in lexicon.plain for piece in pieces)
    kinds = [kind for piece in pieces if (kind := lexicon.kinds.get(bare(piece))) is not None]
    labels = bool(set(kinds) - {"other", "placed", "vault"}) if setting else bool(kinds)
    several = len(pieces) >= 3 or any(map(str.isdigit, value)) or plain_count == 0
    return not labels and (plain_count * 2 <= len(pieces) or (setting and len(pieces) - plain_count >= 2)) and several


def has_saying(value: str, lexicon: Words) -> bool:
    """True if one of several words says something about a secret."""
    return any(piece in lexicon.plain for piece in _PIECE.findall(value.lower()))


def _is_secret(value: str, lexicon: Words, min_chars: int) -> bool:
    """True if a word may be a secret: of `min_chars` letters, or with a capital inside a sentence."""
    lower = value.lower().rstrip("!?")
    if _is_said(lower, lexicon) or _has_said(lower, lexicon):
        return False
    return (
        len(lower) >= 4 if value[0].isupper() else len(lower) >= min_chars and not lexicon.predicates.fullmatch(lower)
    )


def _has_said(value: str, lexicon: Words) -> bool:
    return any(_is_said(piece, lexicon) for piece in _DIVISION.split(value) if piece)


def _is_said(word: str, lexicon: Words) -> bool:
    """True if a word, in lower case, says something about a secret rather than being one."""
    sayings = (lexicon.plain, lexicon.glue, lexicon.scopes, lexicon.connected)
    return any(word in words for words in sayings) or bare(word) in lexicon.kinds
