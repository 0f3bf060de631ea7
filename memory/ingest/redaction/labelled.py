"""Secrets that are known by the words beside them: “my password is …”, `DB_PASSWORD=…`, 비밀번호는 …

Words for secrets are looked for in one pass over a text. What follows a word, up to the next one, is looked at once:
what joins the two, and what the value looks like, decide together. A direct sign (`:`, `=`) asks less of a value than a
verb, and a verb less than no word at all. So the time grows with the text and no faster.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import regex

from .matches import RuleMatch, without_overlaps
from .phrases import has_saying, is_phrase, several_words, word_in_prose, word_in_quotes, word_in_setting
from .values import Shape, shape_of
from .words import Cue, Words, words

NAME = "secret"
#: Most characters that are looked at after a word, and before it.
REACH, BACK = 200, 80
#: Characters before a label that may count, and half of those after it; number of surroundings that are remembered.
AROUND, SEEN = 250, 2000
#: Labels between two looks at the time.
CHECKED = 16
_LETTER = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Greek}]")
#: Scripts whose words are not separated by blanks, or bear particles.
_JOINED = r"\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}、。，．！？：；「」『』（）【】・"
_SCRIPT = r"\p{Hiragana}\p{Katakana}\p{Han}\p{Hangul}"
#: Ends of names such as `DB_PASSWORD_PROD` after which the value is still that of the word.
_ENDINGS = regex.compile(
    r"(?i)(?:s|es|n|wort|[_-]?(?:\d{1,3}|base|prod|production|dev|staging|stage|test|live|new|old|current|main|primary|secondary|value|text|b64|base64|ro|rw|plain|raw|string|pw)"
    r"| \d{1,2}(?=\s?[:=]))?(?![A-Za-z0-9_]|-[A-Za-z])"
)
_SIGN = regex.compile(
    r"""(?x)
    [\\]?["'`*_\])]{0,3}+ \s{0,3}+
      (?:\([^()\n]{0,40}+\)|（[^（）\n]{0,40}+）)?+ [ ]{0,2}+
      (?:=>|:=|::|->|[:=：＝→⇒]|\\u003d|\?(?=\s)|？)(?!=) [*_]{0,3}+ \s{0,4}+
    | ["'`]\s?,\s{0,4}+(?=["'`])                                    # define('DB_PASSWORD', '…')
    | </key>\s{0,20}+<string>
    | [^<>\n]{0,40}+>\s{0,3}+(?=[^<\s])                              # <password>…
    | ["']\s{1,3}value\s?=\s?(?=["'])                                # <add key="password" value="…">
    | ["']?,?\s{1,40}+["']?value["']?\s?:\s?                           # - name: DB_PASSWORD⏎  value: …
    | ["']\s?\{\s{1,20}+default\s{0,8}+=\s?                            # variable "db_password" { default = …
    """
)
_OPEN = {
    '"': '"',
    "'": "'",
    "`": "`",
    "«": "»",
    "“": "”",
    "„": "“”",
    "「": "」",
    "『": "』",
    "‘": "’",
    "‚": "‘’",
    "»": "«",
    "【": "】",
    "”": "”",
}
_BARE = regex.compile(rf"""[^\s<>"'`,;|{_JOINED}]{{1,256}}+""")
_TO_BLANK = regex.compile(r"""[^\s<>"'`,;|]{1,256}+""")
#: Words that mean other things as well.
_WEAK = frozenset({"pass", "passe", "パス", "패스", "parole", "passes", "mantra"})
_END = regex.compile(r"[.!?。！？](?=\s|$)|[。！？]|\n")
_BLANKS = regex.compile(r"[\s*_]{0,4}+")
_WORD = regex.compile(r"[^\s,;:!?()\"“”„«»]{1,60}+")
_SCHEME = regex.compile(
    r"(?i)(?:bearer|basic|token|digest|apikey|negotiate|key|jwt|oauth|ssws|bot|aws4-hmac-sha256)[ :=]\s?"
)
_COOKIE = regex.compile(r"[;,]?\s?(?P<key>[\w.%-]{1,80}+)=(?P<value>[^\s;,\"']{1,4096}+)")
_CODE = regex.compile(
    r"(?<![\w-])[A-Za-z0-9]{4,12}(?:-[A-Za-z0-9]{3,12}){0,5}+(?![\w-])|(?<![\w-])\d{3,6}(?:[ -]\d{3,6}){0,4}+(?![\w-])"
)
_BETWEEN_CODES = regex.compile(r"(?:[\s,;、/・•*|·\-]|\(?\d{1,2}[.):]\s|und|and|et|と|와|및|,){0,12}+")
_PAIR = regex.compile(
    rf"(?P<user>[^\s/|:,;=\"'{_JOINED}]{{2,64}})(?:\s?[/|:,／・]\s?|\s(?:with|mit|avec|und|and|et|/)\s)"
    rf"(?P<secret>[^\s<>\"'|{_JOINED}]{{4,64}})"
)
_PHRASE = regex.compile(
    r"(?P<secret>(?:(?:\d{1,2}[.)]\s?)?[a-zà-ÿ]{2,12}[ ,\n]{1,3}){7,23}+(?:\d{1,2}[.)]\s?)?[a-zà-ÿ]{2,12})"
)
#: Words of a phrase that follow a sign.
_LISTED = regex.compile(
    r"[:：。.]\s{0,2}(?P<secret>(?:[a-zà-ÿ]{2,12}[ ,、]{1,3}){3,23}+[a-zà-ÿ]{2,12}"
    rf"|(?:[{_SCRIPT}]{{1,8}}+[ 　]){{3,23}}+[{_SCRIPT}]{{1,8}}+)(?=\s{{0,2}}(?:[.。…,\n]|$))"
)

#: Kinds of labels whose values may stand behind other labels.
_FAR = frozenset({"header", "cookie", "codes", "phrase", "pair"})
#: Kinds of labels whose values are lists as long as the text.
_LISTS = frozenset({"header", "cookie", "codes"})
_LONG = regex.compile(r"[^\s\"'`=:,;&()<>|/-]{4}|\d{3}|\d[ -]\d|[^\s=:&]{5}")
_INSIDE = regex.compile(r"[A-Za-z0-9_]")
_BEFORE_SIGN = frozenset("\"']= \t\n\u00a0\u3000")
_ASSIGNED = regex.compile(r"[\"'\]]?\s?=")
_SIGNED = regex.compile(r"\s?[:=]")
_ASIDE = regex.compile(r"\([^()\n]{0,40}+\)|（[^（）\n]{0,40}+）")
_OWNED = regex.compile(r"['’]s(?=\s)")
_CLOSING = regex.compile(r"[\"'`”»」』)\]*_]{1,3}")
_LATER_SIGN = regex.compile(r"[:：=→]\s{0,3}")
_IS_JOINED = regex.compile(rf"[{_JOINED}]")
_JOINED_RUN = regex.compile(rf"[{_JOINED}]{{1,24}}+")
_ENDS_SIGNED = regex.compile(r"[:：]\s?$")
_GROUPS = regex.compile(
    r"(?:\d{3}(?:[ \u00a0]\d{3}){1,4}+|\d{2}(?:[ \u00a0]\d{2}){1,4}+|\d{4}(?:[ \u00a0]\d{4}){1,4}+)"
    r"(?![\w.,:/-]{0,20}\d)"
    r"|\d{3}[ \u00a0]\d{3}(?!\d)"
)
_PIECE = regex.compile(r"\S+")
_QUOTED_END = regex.compile(r"(?:[\"“„«「‘]\s?(?P<secret>[^\"“”„«»「」‘’\n]{4,60}+)\s?[\"”“»」’]),?\s?$")
_BREAK = regex.compile(rf"[\s\"'`“„«{_JOINED}]")
_STRING_PREFIX = regex.compile(r"[rbuf@$]{1,2}(?=[\"'])")
_QUERY_END = regex.compile(r"[&#]")
_PARTICLE = regex.compile(rf"(?<=[A-Za-z0-9!#$%&*@])[{_JOINED}]")
_NEXT_FIELD = regex.compile(r"&[\w.\[\]-]{1,40}+=")
_ESCAPE = regex.compile(r"\\[nrt\"]")
_COPULA = regex.compile(r"[이입]")
_AFTER_WORD = regex.compile(r"[\p{L}’']\s$")
_APPLICATION = regex.compile(r"[a-z]{4}(?: [a-z]{4}){3}(?![ a-z])")
_SESSION = regex.compile(r"(?i)sess|sid|token|auth|csrf|remember|jwt|login")
_YEAR = regex.compile(r"(?:19|20)\d\d")
_NUMBERED = regex.compile(r"\d{1,2}[.)]")
_SENTENCE_END = regex.compile(r"[.!?]\s")
_TELLS_YEAR = regex.compile(r"[:：\n、]|は|은|는")
_TELLS = regex.compile(r"[:：\n]|は|が|은|는|\bis\b|\bare\b|sind|lauten|ist|sont|est|voici")
_CLAUSE = regex.compile(r"[^\n.!?:：=<>{}()\[\]]{3,60}+[:：]\s{1,3}")
_DIAL = regex.compile(r"\s?(?:[:=：]|is|ist|est|は|는|은)\s?(?P<code>\d{1,2}(?:-\d{1,2}){2,4}+)(?![\w-])")
_PAIR_END = regex.compile(r"[.!?](?=\s|$)|\n\n")
_QUERY = regex.compile(r"[?&][\w.-]{0,29}$")
_NAME = regex.compile(r"[\p{L}_][\w.-]{0,40}+=[^=]")
_SPACED_NAME = regex.compile(r"[\p{L}_][\w.-]{0,40}+(?:\s?[:=](?:\s|$)|=)")
_UUID = regex.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAMED = regex.compile(r"\$?[A-Za-z_]\w*(?:[.:/-]{1,2}[A-Za-z_]\w*)*\d{0,2}|[a-z]+(?:-[a-z]+)*-?\d{0,2}")
_MIXED = regex.compile(
    r"[a-z]\d[a-z]|\d[A-Za-z]*\d|[a-z]{2}\d[A-Za-z]|[A-Z][a-z]+\d|[a-z][A-Z][a-z]*\d|\d[A-Z]|\d[a-z]+[A-Z]"
)


class _Label(NamedTuple):
    """A word for a secret in a text, with the whole name that it ends."""

    start: int
    stop: int
    kind: str
    #: whether it ends a name such as `DB_PASSWORD`
    name: bool
    #: whether its value may be any word
    any_word: bool = False


def labelled(
    text: str, lower: str, known_ranges: Sequence[RuleMatch], check: Callable[[], object], order: int
) -> Iterator[RuleMatch]:
    """Yields the secrets of a text that words beside them show. `lower`: the text in lower case, as long as the text;
    `known_ranges`: secrets that were found already, whose characters are no words; `check`: called for each word, to
    raise an exception if time is up; `order`: see `RuleMatch`."""
    known = words()
    inside = without_overlaps(known_ranges)
    labels = [label for label in _labels(text, lower, known) if not inside or not _covers(inside, label.start)]
    reader = _Reader(text, lower, known)
    #: surroundings of a label → where its values are from its end: logs and settings repeat themselves
    before: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    taken = 0
    for number, label in enumerate(labels):
        if number % CHECKED == 0:
            check()
        if label.start < taken or label.kind == "other":
            taken = max(taken, label.stop) if label.start >= taken else taken
            continue
        back = max(taken, label.start - BACK)
        beside = label.start - back < 4 and number + 1 < len(labels) and labels[number + 1].start - label.stop < 3
        after = label.stop if beside else min(reader.end_of(label, labels, number), label.stop + REACH)
        if beside or not _may_have_value(text, label, back, after):
            taken = label.stop
            continue
        following = (
            each.start for each in labels[number + 1 : number + 5] if each.kind in ("password", "key", "codes")
        )
        limit = min(next(following, len(text)), label.stop + REACH)
        at = label.stop
        around = text[max(0, label.start - AROUND) : at + 2 * AROUND]
        key = (label.kind, at - label.start, label.name, after - at, limit - at, label.start - back, around)
        values = before.get(key)
        if values is None:
            values = [(start - at, stop - at) for start, stop in reader.values(label, after, back, limit)]
            if label.kind not in _LISTS and all(stop < AROUND for _, stop in values):
                if len(before) >= SEEN:
                    before.clear()
                before[key] = values
        for start, stop in values:
            yield RuleMatch(at + start, at + stop, NAME, "secrets", order)
            taken = max(taken, at + stop)
        taken = max(taken, at)


def _may_have_value(text: str, label: _Label, back: int, after: int) -> bool:
    """True if something beside a label is long enough for a secret. It is asked first, since it takes one search."""
    return (
        label.kind in _FAR
        or label.any_word
        or _LONG.search(text, label.stop, after) is not None
        or _LONG.search(text, back, label.start) is not None
    )


def _covers(ranges: Sequence[RuleMatch], at: int) -> bool:
    """True if one of the ranges, which are in order, contains a place."""
    number = bisect_right(ranges, at, key=lambda one: one.start)
    return number > 0 and at < ranges[number - 1].stop


def _labels(text: str, lower: str, known: Words) -> Iterator[_Label]:
    for start, stop in known.places_of(lower):
        kind = known.kind_of(lower[start:stop])
        if kind is None:
            continue
        before, here = text[start - 1 : start], text[start]
        compound = before == "-" and here.isupper() and kind in ("password", "word", "code")  # “Root-Passwort”
        name = before in ("_", "-", ".", "$", "@") and start > 0 and not compound
        if _LETTER.match(here):
            if start and _LETTER.match(before):
                humped = here.isupper() and before.islower()
                shouted = here.isupper() and before.isupper() and _ASSIGNED.match(text, stop) and kind == "password"
                if not humped and not shouted and (stop - start < 5 or kind in ("other", "placed")):
                    continue
                name = name or humped
            ends = _ENDINGS.match(text, stop)
            if ends is None:
                if _INSIDE.match(text, stop):
                    continue
            else:
                stop = ends.end()
        any_word = kind == "word"
        name = name or (text[stop : stop + 1] in _BEFORE_SIGN and _ASSIGNED.match(text, stop) is not None)
        yield _Label(start, stop, "password" if any_word else kind, name, any_word)


class _Reader:
    """Looks for the values of words."""

    def __init__(self, text: str, lower: str, known: Words) -> None:
        self.text, self.lower, self.known = text, lower, known

    def values(self, label: _Label, after: int, back: int, following: int) -> Iterator[tuple[int, int]]:
        """Yields the ranges of the values of a word. `after`: where the next word begins, or where to stop looking;
        `back`: where to stop looking before the word; `following`: where the next word for a secret begins."""
        if label.kind == "vault":
            dial = _DIAL.match(self.text, label.stop)
            if dial is not None:
                yield dial.span("code")
        elif label.kind == "header":
            yield from self._header(label)
        elif label.kind == "cookie":
            yield from self._cookies(label)
        elif label.kind == "codes":
            yield from self._codes(label, following)
        elif label.kind == "phrase":
            yield from self._phrase(label)
        elif label.kind == "key" and (words := self._seed(label)) is not None:
            yield words
        else:
            kind = self._kind(label)
            if kind == "pair":
                pairs = list(self._pair(label, following))
                backward = None if pairs else self._before(label, kind, back)
                yield from pairs if backward is None else [backward]
            elif kind is not None:
                found = (
                    self._direct(label, kind)
                    or self._told(label, kind, after)
                    or self._before(label, kind, back)
                    or self._later(label, kind, after)
                )
                if found is not None:
                    yield found

    def end_of(self, label: _Label, labels: Sequence[_Label], number: int) -> int:
        """Returns where the next word begins that is not what a value is of: “the password for the *server* is …”."""
        for following in labels[number + 1 : number + 4]:
            between = self.lower[label.stop : following.start]
            if len(between) > 40 or following.kind not in ("other", "pair", "placed"):
                return following.start
            pieces = between.replace("'", "' ").replace("’", "’ ").split()
            if not pieces or not all(piece in self.known.scopes or piece in self.known.glue for piece in pieces):
                return following.start
            if pieces[0] not in self.known.scopes or (_SIGNED.match(self.text, following.stop) and following.name):
                return following.start
        return len(self.text) if number + 4 >= len(labels) else labels[number + 4].start

    def _kind(self, label: _Label) -> str | None:
        """Returns what a word asks of its value; None if it stands alone."""
        if label.kind == "password" and self.lower[label.start : label.stop] in _WEAK:
            return "password" if label.name or (self.text[label.start] == "P" and label.any_word) else "weak"
        if label.kind not in ("placed", "key"):
            return label.kind
        line_start = max(self.text.rfind("\n", max(0, label.start - 60), label.start) + 1, label.start - 60, 0)
        line_end = self.text.find("\n", label.stop, label.stop + 40)
        near = self.lower[line_start : line_end if line_end >= 0 else label.stop + 40]
        if label.kind == "key":
            if label.name or label.stop - label.start > 9:
                return "key"
            if self.known.networks.search(near):
                return "password"
            return "code" if label.stop - label.start == 1 and self.known.places.search(near) else "key"
        before = self.text[label.start - 1 : label.start] if label.start else ""
        if (
            (label.name and not self.lower.startswith("key", label.start))
            or before in ('"', "'")
            or (_IS_JOINED.match(self.text[label.stop - 1]) and self.text[label.stop : label.stop + 1].isdigit())
        ):
            return None
        if self.known.places.search(near):
            return "code"
        if self.known.networks.search(near):
            return "password"
        return (
            "machine" if self.lower[label.start : label.stop].startswith(("key", "キー", "키", "schl", "cl")) else None
        )

    def _direct(self, label: _Label, kind: str) -> tuple[int, int] | None:
        """Returns a value after a sign: `password: …`, `"token" = "…"`."""
        sign = _SIGN.match(self.text, label.stop)
        if sign is None:
            return None
        start = sign.end()
        spaced = "\n" in sign[0]
        quoted = self._quoted(start)
        if quoted is not None:
            value = self.text[slice(*quoted)]
            code = self.text[quoted[0] - 1] in "\"'`"
            if self._accepts(kind, value, quoted=True, direct=True, strict=code and not self._in_prose(label)):
                return quoted
            return None
        query = self.text[label.start - 1 : label.start] in ("?", "&") or (
            label.name and _QUERY.search(self.text, max(0, label.start - 30), label.start)
        )
        found = self._bare_value(start, query=bool(query), to_blank=not query)
        if found is None:
            return None
        if kind == "code":
            found = self._grouped(found)
        value = self.text[slice(*found)]
        if self.text[found[1] : found[1] + 1] in ("=", ":") or self._begins_label(found[0], spaced):
            return None
        if self._counted(found):
            return None
        if self._accepts(kind, value, quoted=False, direct=True):
            return found
        if kind in ("password", "weak"):
            spoken = self.lower[label.start : label.stop]
            several = (
                None
                if label.name or kind == "weak"
                else several_words(self.text, found[0], spoken, self.known, linked=True)
            )
            if several is not None:
                return several
            if not label.name or label.any_word:
                word = self._word(label, kind, start, linked=True, direct=True)
                if word is not None:
                    return word
            if kind == "password" and word_in_setting(
                self.text, self.lower, (label.start, label.stop), found, sign[0], self.known
            ):
                return found
        return None

    def _word(self, label: _Label, kind: str, at: int, *, linked: bool, direct: bool) -> tuple[int, int] | None:
        return word_in_prose(
            self.text,
            self.lower,
            (label.start, label.stop),
            at,
            self.known,
            any_word=label.any_word and kind != "weak",
            weak=kind == "weak",
            linked=linked,
            direct=direct,
        )

    def _told(self, label: _Label, kind: str, after: int) -> tuple[int, int] | None:
        """Returns a value after a verb, after what the value is of and a verb, or directly after the word."""
        end = _END.search(self.text, label.stop, max(after, label.stop))
        stop = end.start() if end is not None else after
        if end is not None and after == label.stop + REACH and end.start() == label.stop:
            return None
        at, linked, told = label.stop, False, 0
        owned = _OWNED.match(self.text, at)
        if owned is not None:
            at, linked = owned.end(), True
        closing = _CLOSING.match(self.text, at)
        if closing is not None:
            at = closing.end()
        scope = opened = False
        first, placed = True, False
        while at < stop and told < 14:
            blanks = _BLANKS.match(self.text, at)
            assert blanks is not None
            at = blanks.end()
            sign = _LATER_SIGN.match(self.text, at)
            if sign is not None:
                linked, scope, at, first = True, False, sign.end(), False
                continue
            link = self.known.connectors.match(self.lower, at)
            here = self.text[at : at + 1]
            if link is not None and (not _LETTER.match(here) or not _LETTER.match(self.text[at - 1 : at])):
                linked, scope, at = True, False, link.end()
                told += 1
                first = False
                continue
            quoted = self._quoted(at)
            if quoted is not None and (linked or first or not scope):
                said = self.text[slice(*quoted)]
                strict = label.name or (not linked and (not first or closing is not None))
                if self._accepts(kind, said, quoted=linked or first, direct=linked, next_to=first, strict=strict):
                    return quoted
                return None
            if here in ("–", "—") or (here == "-" and self.text[at + 1 : at + 2] == " "):
                at += 1
                continue
            aside = _ASIDE.match(self.text, at) if not linked else None
            if aside is not None:
                at = aside.end()
                continue
            if here and here in ",、，(（" and not (here in "(（" and not linked):
                at += 1
                first = False
                scope = scope and not linked
                continue
            if here == "[" and kind == "code":
                at += 1
                continue
            value = self._bare_value(at)
            apart = (at > label.stop or not _LETTER.match(self.text[label.stop - 1])) and here not in ".@/()"
            if (
                value is not None
                and self.text[value[1] - 1] == "="
                and self.text[value[1] : value[1] + 1] in ('"', "'", "`")
            ):
                return None  # the next attribute of a tag
            if value is not None and value[0] == at and not scope and apart:
                if kind == "code":
                    value = self._grouped(value)
                found = self.text[slice(*value)]
                year = first and not linked and _YEAR.fullmatch(found) is not None
                year = year and self.known.places.fullmatch(self.lower, label.start, label.stop) is not None
                if (
                    not year
                    and not self._counted(value)
                    and self._accepts(kind, found, quoted=False, direct=False, linked=linked, next_to=first)
                ):
                    return value
                if (linked or first) and kind in ("password", "weak") and not self._begins_label(at, False):
                    spoken = self.lower[label.start : label.stop]
                    several = (
                        None
                        if label.name or kind == "weak"
                        else several_words(self.text, at, spoken, self.known, linked=linked)
                    ) or (None if label.name else self._word(label, kind, at, linked=linked, direct=False))
                    if several is not None:
                        return several
            number = value is not None and value[0] == at and shape_of(self.text[slice(*value)]) is Shape.NUMBER
            if value is not None and number and scope and placed and kind == "code" and not self._counted(value):
                return value
            word = _WORD.match(self.text, at)
            if word is None:
                if here in '(（["“”„«»':
                    at += 1
                    continue
                return None
            plain = word[0].lower().rstrip(".")
            if _IS_JOINED.match(here):
                joined = self._word(label, kind, at, linked=linked, direct=False) if label.any_word else None
                if joined is not None:
                    return joined
                run = _JOINED_RUN.match(self.text, at, stop)
                if run is None:
                    return None
                if len(run[0]) > 12 and not linked:
                    return None
                if len(run[0]) > 4 and not _ENDS_SIGNED.search(run[0]):
                    linked = False
                at, first = run.end(), False
                told += 1
                continue
            elided = plain.split("'")[0].split("’")[0]
            opens = plain in self.known.scopes or (elided != plain and elided + "'" in self.known.scopes)
            opened = opened or opens
            if plain in self.known.glue and not scope:
                pass
            elif opens:
                scope, linked = True, False
            elif not scope:
                if not opened and not (first and kind in ("code", "pair")) and not self._named_scope(word[0], plain):
                    return None
                scope, linked = True, False
            elif linked:
                return None
            first = False
            told += 1
            placed = self.known.places.fullmatch(plain) is not None
            at = word.end()
        return None

    def _grouped(self, found: tuple[int, int]) -> tuple[int, int]:
        """Returns the range of a number with the groups of digits that follow it."""
        groups = _GROUPS.match(self.text, found[0])
        return groups.span() if groups is not None else found

    def _named_scope(self, word: str, plain: str) -> bool:
        """True if a word may be what the value is of without a preposition: “Passwort Router ist …”."""
        thing = self.known.cues.single.get(plain, 0) & Cue.THING
        return bool(thing) or (word[:1].isupper() and word.isalpha())

    def _before(self, label: _Label, kind: str, back: int) -> tuple[int, int] | None:
        """Returns a value before the word: “… is the password”, “… als Passwort”, “…がパスワード”."""
        if kind not in ("password", "key", "code", "pair"):
            return None
        start = max(back, self.text.rfind("\n", back, label.start) + 1)
        if label.start - start < 4:
            return None
        before = self.text[start : label.start]
        trimmed = before.rstrip()
        joined = None
        if trimmed.endswith(self.known.joined_before):
            joined = next(word for word in self.known.joined_before if trimmed.endswith(word))
        if joined is not None:
            end = start + len(trimmed) - len(joined)
            return self._value_ending(start, end, kind)
        pieces = list(_PIECE.finditer(before))
        linked, others = False, 0
        for piece in reversed(pieces[-7:]):
            word = piece[0].lower().strip(",.:;()")
            if word in self.known.verbs:
                linked = True
            elif word not in self.known.before:
                if linked:
                    return self._value_ending(start, start + piece.end(), kind)
                others += 1
                if others > 2:
                    return None
        return None

    def _later(self, label: _Label, kind: str, after: int) -> tuple[int, int] | None:
        """Returns a value after a sign that ends the clause: “a password is generated for root@localhost: …”."""
        sign = _CLAUSE.match(self.text, label.stop, min(after, label.stop + 80))
        if sign is None or kind not in ("password", "key"):
            return None
        value = self._bare_value(sign.end())
        if value is None or value[0] != sign.end():
            return None
        found = self.text[slice(*value)]
        spoken = self.lower[label.start : label.stop]
        if "phrase" in spoken or "satz" in spoken:
            return several_words(self.text, sign.end(), spoken, self.known, linked=True)
        kinds = sum(any(map(test, found)) for test in (str.islower, str.isupper, str.isdigit, _is_sign))
        shape = shape_of(found)
        hard = shape is Shape.MACHINE or (
            shape is Shape.STRONG and kinds >= 3 and len(found) >= 8 and kind == "password"
        )
        return value if hard and not _is_name(found) else None

    def _value_ending(self, start: int, end: int, kind: str) -> tuple[int, int] | None:
        quoted = _QUOTED_END.search(self.text, start, end)
        if quoted is not None and kind == "password" and is_phrase(quoted["secret"], self.known):
            return quoted.span("secret")
        text = self.text[start:end].rstrip(" ,\"'`”»」』)")
        end = start + len(text)
        begin = end
        while begin > start and not _BREAK.match(self.text[begin - 1]):
            begin -= 1
        value = self.text[begin:end].lstrip("(")
        begin = end - len(value)
        shape = shape_of(value)
        if shape is Shape.MACHINE or (shape is Shape.STRONG and kind in ("password", "pair") and len(value) >= 6):
            return begin, end
        digits = sum(map(str.isdigit, value))
        if kind == "code" and shape in (Shape.NUMBER, Shape.STRONG) and digits >= 4 and not self._counted((begin, end)):
            return begin, end
        return None

    def _quoted(self, at: int) -> tuple[int, int] | None:
        """Returns the range between quotes that begin at a place."""
        escaped = self.text.startswith('\\"', at)
        opening = self.text[at + escaped : at + escaped + 1]
        if opening not in _OPEN or not opening:
            prefix = _STRING_PREFIX.match(self.text, at)
            if prefix is None:
                return None
            at = prefix.end()
            opening = self.text[at]
        start = at + escaped + 1
        begun = 3 if self.text.startswith(opening * 3, at) and opening in "\"'" else 1
        start = at + escaped + begun
        for place in range(start, min(start + 200, len(self.text))):
            here = self.text[place]
            if here == "\n":
                return None
            if here in _OPEN[opening]:
                if not escaped and self.text[place - 1] == "\\" and here in "\"'":
                    continue
                stop = place - 1 if escaped and self.text[place - 1] == "\\" else place
                value = self.text[start:stop]
                inner = value.strip()
                if not inner:
                    return None
                start += value.index(inner)
                return start, start + len(inner)
        return None

    def _bare_value(self, at: int, *, query: bool = False, to_blank: bool = False) -> tuple[int, int] | None:
        """Returns the range of a value without quotes at a place."""
        match = (_TO_BLANK if to_blank else _BARE).match(self.text, at)
        if match is None:
            return None
        start, stop = match.span()
        if query:
            ends = _QUERY_END.search(self.text, start, stop)
            stop = ends.start() if ends is not None else stop
        else:
            joined = _PARTICLE.search(self.text, start, stop)
            stop = joined.start() if joined is not None else stop
            more = _NEXT_FIELD.search(self.text, start, stop)
            stop = more.start() if more is not None else stop
            ends = _ESCAPE.search(self.text, start, stop)
            stop = ends.start() if ends is not None else stop
        value = self.text[start:stop]
        kept = value.rstrip(".,:?…–—\\" + "*_" * value.startswith(("*", "_")))
        for closing, opening in (")(", "]["):
            while kept.endswith(closing) and opening not in kept:
                kept = kept[:-1].rstrip(".,:?")
        if kept.endswith("}") and "{" not in kept:
            kept = kept.rstrip("}")
        return (start, start + len(kept)) if kept else None

    def _begins_label(self, at: int, spaced: bool) -> bool:
        """True if a name with its own value begins at a place."""
        name = (_SPACED_NAME if spaced else _NAME).match(self.text, at)
        return name is not None and self.known.begins(self.lower, at)

    def _counted(self, found: tuple[int, int]) -> bool:
        """True if what was found is a number of something: “is 12 characters long”."""
        value = self.text[slice(*found)]
        if not value.strip("*#").isdigit():
            return False
        unit = self.known.units.match(self.lower, found[1])
        if unit is None:
            return False
        after = self.text[unit.end() : unit.end() + 1]
        ascii_unit = unit[0].strip(" -").isascii()
        return not (ascii_unit and len(unit[0].strip(" -")) < 3 and _LETTER.match(after)) and not (
            not ascii_unit and not unit[0].startswith(" ") and _COPULA.match(unit[0].strip())
        )

    def _in_prose(self, label: _Label) -> bool:
        """True if a word stands in a sentence rather than in code."""
        before = self.text[max(0, label.start - 2) : label.start]
        return bool(_AFTER_WORD.search(before)) and self.text[label.stop : label.stop + 1] in (" ", ":")

    def _accepts(
        self,
        kind: str,
        value: str,
        *,
        quoted: bool,
        direct: bool,
        linked: bool = False,
        next_to: bool = False,
        strict: bool = False,
    ) -> bool:
        """True if a value is a secret of a kind."""
        if quoted and kind == "password" and _APPLICATION.fullmatch(value):
            return True
        if quoted and (" " in value or _IS_JOINED.search(value)):
            hard = not strict or (any(map(str.isdigit, value)) and not has_saying(value, self.known))
            return kind in ("password", "code") and hard and is_phrase(value, self.known)
        shape = shape_of(value)
        plain = value.lower().strip("!?.*") in self.known.plain
        if shape is Shape.PLACEHOLDER or plain:
            return False
        near = direct or linked or next_to
        digits = sum(map(str.isdigit, value))
        if kind == "machine":
            long = len(value) >= 20 and ":" not in value and not _UUID.fullmatch(value)
            return shape is Shape.MACHINE and (direct or linked) and long
        if kind == "key":
            if shape is Shape.MACHINE:
                return near
            return (
                shape is Shape.STRONG
                and (direct or (linked and digits >= 2))
                and len(value) >= (6 if direct else 8)
                and not _is_name(value)
            )
        if kind == "code":
            if shape is Shape.NUMBER:
                return (near or digits >= 4) and digits >= 3 and len(value) <= 20
            return shape is Shape.STRONG and (direct or linked) and digits >= 2 and not _is_name(value)
        if shape is Shape.NUMBER:
            return (direct or linked or next_to) and digits >= 4 and "." not in value and kind != "weak"
        if kind == "weak":
            named = _is_name(value) and digits < (1 if quoted and direct else 2)
            return shape >= Shape.STRONG and near and len(value) >= 6 and not named
        if shape >= Shape.STRONG:
            if direct and not quoted and _is_name(value):
                return digits >= 1 and "_" not in value
            if not near or not (direct or quoted):
                return len(value) >= 6 and not (_is_name(value) and not digits)
            return True
        return quoted and ((not strict and len(value) >= 4) or (direct and word_in_quotes(value, self.known)))

    def _header(self, label: _Label) -> Iterator[tuple[int, int]]:
        """Yields what `Authorization` says after its scheme."""
        sign = _SIGN.match(self.text, label.stop)
        if sign is None:
            return
        at = sign.end() + (self.text[sign.end() : sign.end() + 1] in ("'", '"', "`"))
        scheme = _SCHEME.match(self.text, at)
        value = _TO_BLANK.match(self.text, scheme.end() if scheme is not None else at)
        if value is None:
            return
        stop = value.end()
        found = value[0].rstrip(".,)}]\\")
        shape = shape_of(found)
        if shape >= Shape.STRONG or (
            scheme is not None
            and shape is not Shape.PLACEHOLDER
            and len(found) >= 8
            and found.lower() not in self.known.plain
        ):
            yield value.start(), stop - (len(value[0]) - len(found))

    def _cookies(self, label: _Label) -> Iterator[tuple[int, int]]:
        """Yields the values of cookies that a machine has made."""
        sign = _SIGN.match(self.text, label.stop)
        if sign is None:
            return
        at = sign.end() + (self.text[sign.end() : sign.end() + 1] in ("'", '"', "`"))
        while (pair := _COOKIE.match(self.text, at)) is not None:
            value = pair["value"]
            machine = shape_of(value[:256]) is Shape.MACHINE
            told = _SESSION.search(pair["key"]) is not None
            if machine or (told and shape_of(value[:256]) >= Shape.STRONG):
                yield pair.span("value")
            at = pair.end()

    def _codes(self, label: _Label, following: int) -> Iterator[tuple[int, int]]:
        """Yields the codes of a list."""
        first = next(
            (
                match
                for match in _CODE.finditer(self.text, label.stop, min(following, label.stop + 160))
                if any(map(str.isdigit, match[0])) and self._is_code(match, label)
            ),
            None,
        )
        while first is not None:
            yield first.span()
            between = _BETWEEN_CODES.match(self.text, first.end())
            assert between is not None
            following = _CODE.match(self.text, between.end())
            usable = following is not None and (any(map(str.isdigit, following[0])) or "-" in following[0])
            first = following if usable else None

    def _is_code(self, match: "regex.Match[str]", label: _Label) -> bool:
        between = self.text[label.stop : match.start()]
        if _SENTENCE_END.search(_NUMBERED.sub(" ", between)) or "。" in between[:-2].replace("。\n", ""):
            return False
        value = match[0]
        if value.isdigit() and len(value) == 4 and not _TELLS_YEAR.search(between):
            return False
        return _TELLS.search(between.lower()) is not None and not self._counted(match.span())

    def _seed(self, label: _Label) -> tuple[int, int] | None:
        """Returns the words of a wallet after “seed”, of which none says anything."""
        if not self.lower.startswith("seed", label.start):
            return None
        match = _PHRASE.search(self.text, label.stop, min(len(self.text), label.stop + 300))
        said = match is None or has_saying(match["secret"], self.known)
        return None if match is None or said or match.start() - label.stop > 8 else match.span("secret")

    def _phrase(self, label: _Label) -> Iterator[tuple[int, int]]:
        """Yields the words that open a wallet."""
        found = _PHRASE.search(self.text, label.stop, min(len(self.text), label.stop + 400))
        if found is None or found.start() - label.stop > 60:
            found = _LISTED.search(self.text, label.stop, min(len(self.text), label.stop + 200))
        if found is not None and found.start("secret") - label.stop <= 60:
            yield found.span("secret")

    def _pair(self, label: _Label, following: int) -> Iterator[tuple[int, int]]:
        """Yields the password of a user and a password."""
        stop = min(following, label.stop + 120)
        end = _PAIR_END.search(self.text, label.stop, stop)
        stop = end.start() if end is not None else stop
        for match in _PAIR.finditer(self.text, label.stop, stop, overlapped=True):
            value = match["secret"].rstrip(".,;:)]}")
            shape = shape_of(value)
            if (
                shape >= Shape.STRONG
                and not value.startswith("//")
                and not ("@" in value and "/" in value)
                and not _is_name(value)
                and match["user"] not in ("http", "https")
                and "=" not in value[1:-2]
            ):
                start = match.start("secret")
                yield start, start + len(value)
                return


def _is_sign(character: str) -> bool:
    return not character.isalnum() and character not in "_-./:,"


def _is_name(value: str) -> bool:
    """True if a value may be the name of a variable, a file or a package."""
    return _NAMED.fullmatch(value) is not None and not _MIXED.search(value)
