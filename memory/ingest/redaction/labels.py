"""Words for secrets in a text, with the whole names that they end: `DB_PASSWORD`, “WLAN-Passwort”."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import regex

from .words import JOINED, LETTER, Words

#: Ends of names such as `DB_PASSWORD_PROD` after which the value is still that of the word.
_ENDINGS = regex.compile(
    r"(?i)(?:s|es|n|wort|[_-]?(?:\d{1,3}|base|prod|production|dev|staging|stage|test|live|new|old|current|main|primary|secondary|value|text|b64|base64|ro|rw|plain|raw|string|pw)"
    r"| \d{1,2}(?=\s?[:=]))?(?![A-Za-z0-9_]|-[A-Za-z])"
)
#: A last part of a name that says whose or what for, rather than something about a password: `MOT_DE_PASSE_SMTP`.
_PURPOSE = regex.compile(
    r"(?i)_(?!hash|file|min|max|len|pol|exp|ttl|id|name|type|reset|ur[il]|path|hint|field|label|col|salt|algo|rule|reg"
    r"|pattern|count|limit|age|chang|updat|last|date|time|at|is|has|ref|env|cmd|command|prompt|form|input|confirm|mode"
    r"|enabl|requir|manager|datei|fichier|laenge|length|version|valid|strength|source|provider|encod|check)"
    r"[a-z]{2,12}(?=[\"']?\s?[=:])"
)
_INSIDE = regex.compile(r"[A-Za-z0-9_]")
_HASHED = regex.compile(r"(?:hash|digest|fingerprint|checksum|empreinte|fingerabdruck)[_.-]$")
_ASSIGNED = regex.compile(r"[\"'\]]?\s?=")
_SIGNED = regex.compile(r"\s?[:=]")
#: Words that mean other things as well.
_WEAK = frozenset({"pass", "passe", "パス", "패스", "parole", "passes", "mantra"})
#: Words for keys that people choose as well.
_ANY = regex.compile("secret|token|jeton|shared|partag|geheim|gemeinsam|秘密|共有|シークレット|비밀|공유|시크릿")
#: Beginnings of words for keys that open no door.
_KEYS = ("key", "キー", "鍵", "키", "schl", "cl")


class Label(NamedTuple):
    """A word for a secret in a text, with the whole name that it ends."""

    start: int
    stop: int
    kind: str
    #: whether it ends a name such as `DB_PASSWORD`
    name: bool
    #: whether its value may be any word
    any_word: bool = False


def labels_in(text: str, lower: str, lexicon: Words) -> Iterator[Label]:
    """Yields the words for secrets in a text. `lower`: the text in lower case, as long as the text."""
    for start, stop in lexicon.places_of(lower):
        kind = lexicon.kind_of(lower[start:stop])
        if kind is None:
            continue
        before = text[start - 1 : start]
        initial = text[start]
        compound = before == "-" and initial.isupper() and kind in ("password", "word", "code")  # “Root-Passwort”
        name = start > 0 and before in "_-.$@" and not compound
        if LETTER.match(initial):
            if start and LETTER.match(before):
                humped = initial.isupper() and before.islower()
                shouted = initial.isupper() and before.isupper() and _ASSIGNED.match(text, stop) and kind == "password"
                if not humped and not shouted and (stop - start < 5 or kind in ("other", "placed")):
                    continue
                name = name or humped
            ends = _ENDINGS.match(text, stop) or (_PURPOSE.match(text, stop) if kind == "password" else None)
            if ends is not None:
                stop = ends.end()
            elif _INSIDE.match(text, stop):
                continue
        name = name or _ASSIGNED.match(text, stop) is not None
        if name and _HASHED.search(lower, max(0, start - 14), start):
            kind = "other"
        yield Label(start, stop, "password" if kind == "word" else kind, name, kind == "word")


def end_of(text: str, lower: str, labels: Sequence[Label], number: int, lexicon: Words) -> int:
    """Returns where the next word begins that is not what a value is of: “the password for the *server* is …”."""
    label = labels[number]
    for following in labels[number + 1 : number + 4]:
        between = following.start - label.stop
        if between > 40 or following.kind not in ("other", "pair", "placed"):
            return following.start
        pieces = lower[label.stop : following.start].replace("'", "' ").replace("’", "’ ").split()
        if not pieces or not all(piece in lexicon.scopes or piece in lexicon.glue for piece in pieces):
            return following.start
        if pieces[0] not in lexicon.scopes or (_SIGNED.match(text, following.stop) and following.name):
            return following.start
    return len(text) if number + 4 >= len(labels) else labels[number + 4].start


def asked_kind(text: str, lower: str, label: Label, lexicon: Words) -> str | None:
    """Returns the kind of the value that a word asks for in its place; None if it stands alone."""
    spelled = lower[label.start : label.stop]
    if label.kind == "password" and spelled in _WEAK:
        return "password" if label.name or (text[label.start] == "P" and label.any_word) else "weak"
    if label.kind not in ("placed", "key"):
        return label.kind
    line = max(text.rfind("\n", max(0, label.start - 60), label.start) + 1, label.start - 60, 0)
    end = text.find("\n", label.stop, label.stop + 40)
    neighbourhood = lower[line : end if end >= 0 else label.stop + 40]
    if label.kind == "key":
        if label.name or label.stop - label.start > 9:
            return "key"
        if lexicon.networks.search(neighbourhood):
            return "password"
        return "code" if label.stop - label.start == 1 and lexicon.places.search(neighbourhood) else "key"
    named = label.name and not spelled.startswith("key")
    counter = JOINED.match(spelled[-1]) and text[label.stop : label.stop + 1].isdigit()
    if named or counter or text[max(0, label.start - 1) : label.start] in ('"', "'"):
        return None
    if lexicon.places.search(neighbourhood):
        return "code"
    if lexicon.networks.search(neighbourhood):
        return "password"
    return "machine" if spelled.startswith(_KEYS) else None


def is_any(lower: str, label: Label) -> bool:
    """True if the value of a word for a key may be chosen by a person: `JWT_SECRET`."""
    several = lower.startswith("s", label.stop - 1)
    return label.name and not several and _ANY.search(lower, label.start, label.stop) is not None
