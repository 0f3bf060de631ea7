"""Secrets that are known by the words beside them: “my password is …”, `DB_PASSWORD=…`, 비밀번호는 …

Words for secrets are looked for in one pass over a text. What follows a word, up to the next one, is looked at once:
what joins the two, and what the value looks like, decide together. A direct sign (`:`, `=`) asks less of a value than a
verb, and a verb less than no word at all. So the time grows with the text and no faster.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import regex

from . import series
from .acceptance import Link, accepts, is_chosen_word, is_name, is_named, is_phrase, setting, words_at
from .labels import Label, asked_kind, end_of, is_any, labels_in
from .matches import RuleMatch, without_overlaps
from .ranges import SIGN, Range, bare_at, bare_before, grouped, in_template, quoted_at
from .values import YEAR, Shape, shape_of
from .words import JOINED_SIGNS, LETTER, SCRIPTS, Cue, Words, words

NAME = "secret"
#: Most characters that are looked at after a word, and before it.
REACH = 200
BACK = 80
#: Most words between a word for a secret and its value.
WORDS = 14
#: Characters before a label that may count, and half of those after it; number of surroundings that are remembered.
AROUND = 250
SEEN = 2000
#: Labels between two looks at the time.
CHECKED = 16
#: Kinds of labels whose values are lists as long as the text.
_LISTS = frozenset({"header", "cookie"})
#: Kinds of labels whose values may stand behind other labels.
_FAR = _LISTS | {"codes", "phrase", "pair"}
_LONG = regex.compile(rf"[^\s\"'`=:,;&()<>|/-]{{4}}|\d{{3}}|\d[ -]\d|[^\s=:&]{{5}}|[{SCRIPTS}]{{2}} [{SCRIPTS}]")
_DIAL = regex.compile(r"\s?(?:[:=：]|is|ist|est|は|는|은)\s?(?P<code>\d{1,2}(?:-\d{1,2}){2,4}+)(?![\w-])")
_QUERY = regex.compile(r"[?&][\w.-]{0,29}$")
_AFTER_WORD = regex.compile(r"[\p{L}’']\s$")
_NAME = regex.compile(r"[\p{L}_][\w.-]{0,40}+=[^=]")
_SPACED_NAME = regex.compile(r"[\p{L}_][\w.-]{0,40}+(?:\s?[:=](?:\s|$)|=)")
_END = regex.compile(r"[.!?。！？](?=\s|$)|[。！？]|\n")
_OWNED = regex.compile(r"['’]s(?=\s)")
_CLOSING = regex.compile(r"[\"'`”»」』)\]*_]{1,3}")
#: What may stand between words: blanks, a dash, a list's comma.
_BLANKS = regex.compile(r"[\s*_]{0,4}+")
_BETWEEN = regex.compile(r"[–—]|-(?= )|[,、，]")
_ASIDE = regex.compile(r"\([^()\n]{0,40}+\)|（[^（）\n]{0,40}+）")
_LATER_SIGN = regex.compile(r"[:：=→]\s{0,3}")
_WORD = regex.compile(r"[^\s,;:!?()\"“”„«»]{1,60}+")
_JOINED_RUN = regex.compile(rf"[{JOINED_SIGNS}]{{1,24}}+")
_ENDS_SIGNED = regex.compile(r"[:：]\s?$")
_CLAUSE = regex.compile(r"[^\n.!?:：=<>{}()\[\]]{3,60}+[:：]\s{1,3}")
_PIECE = regex.compile(r"\S+")
#: Say that a word is used as a secret, and in which of these languages only names have capitals.
_AS = frozenset({"as", "als", "comme"})
_NO_NOUNS = (" as ", " comme ")
_ENTERED = regex.compile(r"\b(?:with|avec|used?|uses|using|utilise|mis|mets|set|put|chose|pris|choisi)\s$")
_QUOTED_END = regex.compile(r"(?:[\"“„«「‘]\s?(?P<secret>[^\"“”„«»「」‘’\n]{4,60}+)\s?[\"”“»」’]),?\s?$")


def labelled(
    text: str, lower: str, known_ranges: Sequence[RuleMatch], check: Callable[[], object], order: int
) -> Iterator[RuleMatch]:
    """Yields the secrets of a text that words beside them show. `lower`: the text in lower case, as long as the text;
    `known_ranges`: secrets that were found already, whose characters are no words; `check`: called now and then, to
    raise an exception if time is up; `order`: see `RuleMatch`."""
    lexicon = words()
    inside = without_overlaps(known_ranges)
    labels = [label for label in labels_in(text, lower, lexicon) if not inside or not _covers(inside, label.start)]
    reader = _Reader(text, lower, lexicon)
    #: surroundings of a label → where its values are from its end: logs and settings repeat themselves
    remembered: dict[tuple[object, ...], list[Range]] = {}
    covered_to = 0
    for number, label in enumerate(labels):
        if number % CHECKED == 0:
            check()
        if label.start < covered_to:
            continue
        at = label.stop
        back = max(covered_to, label.start - BACK)
        covered_to = label.stop
        is_adjacent = label.start - back < 4 and number + 1 < len(labels) and labels[number + 1].start - at < 3
        if is_adjacent or label.kind == "other":
            continue
        after = min(end_of(text, lower, labels, number, lexicon), at + REACH)
        if not _may_have_value(text, label, back, after):
            continue
        following = (
            other.start for other in labels[number + 1 : number + 5] if other.kind in ("password", "key", "codes")
        )
        limit = min(next(following, len(text)), at + REACH)
        neighbourhood = text[max(0, label.start - AROUND) : at + 2 * AROUND]
        key = (label.kind, at - label.start, label.name, after - at, limit - at, label.start - back, neighbourhood)
        values = remembered.get(key)
        if values is None:
            values = [(start - at, stop - at) for start, stop in reader.values(label, after, back, limit)]
            if label.kind not in _LISTS and all(stop < AROUND for _, stop in values):
                if len(remembered) >= SEEN:
                    remembered.clear()
                remembered[key] = values
        for start, stop in values:
            if not in_template(text, at + start):
                yield RuleMatch(at + start, at + stop, NAME, "secrets", order)
            covered_to = max(covered_to, at + stop)
    for start, stop in series.columns(text, lexicon):
        yield RuleMatch(start, stop, NAME, "secrets", order)


def _covers(ranges: Sequence[RuleMatch], at: int) -> bool:
    """True if one of the ranges, which are in order, contains a place."""
    number = bisect_right(ranges, at, key=lambda one: one.start)
    return number > 0 and at < ranges[number - 1].stop


def _may_have_value(text: str, label: Label, back: int, after: int) -> bool:
    """True if something beside a label is long enough for a secret. It is asked first, since it takes one search."""
    return (
        label.kind in _FAR
        or label.any_word
        or _LONG.search(text, label.stop, after) is not None
        or _LONG.search(text, back, label.start) is not None
    )


class _Reader:
    """Looks for the values of words."""

    def __init__(self, text: str, lower: str, lexicon: Words) -> None:
        self.text = text
        self.lower = lower
        self.lexicon = lexicon

    def values(self, label: Label, after: int, back: int, limit: int) -> Iterator[Range]:
        """Yields the ranges of the values of a word. `after`: where the next word begins, or where to stop looking;
        `back`: where to stop looking before the word; `limit`: where the next word for a secret begins."""
        text = self.text
        lower = self.lower
        lexicon = self.lexicon
        if label.kind == "vault":
            dial = _DIAL.match(text, label.stop)
            yield from [dial.span("code")] if dial is not None else []
        elif label.kind == "header":
            yield from series.header_value(text, label, lexicon)
        elif label.kind == "cookie":
            yield from series.cookies(text, label)
        elif label.kind == "codes":
            yield from series.codes(text, lower, label, limit, lexicon)
        elif label.kind == "pair":
            pairs = list(series.pair_password(text, label, limit))
            backward = None if pairs else self._before(label, "pair", back)
            yield from pairs if backward is None else [backward]
        else:
            yield from self._single(label, after, back)

    def _single(self, label: Label, after: int, back: int) -> Iterator[Range]:
        kind = asked_kind(self.text, self.lower, label, self.lexicon)
        worded = kind == "password" and series.WORDED.match(self.lower, label.stop)
        if kind == "phrase" or worded or self.lower.startswith("seed", label.start):
            phrase = list(series.wallet_words(self.text, label, self.lexicon))
            yield from phrase
            kind = None if phrase else "password" if kind == "phrase" else kind
        if kind is not None:
            value = (
                self._direct(label, kind)
                or self._told(label, kind, after)
                or self._before(label, kind, back)
                or self._later(label, kind, after)
            )
            yield from [value] if value is not None else []
            if value is not None and kind == "code":
                yield from series.further_codes(self.text, self.lower, value, self.lexicon)

    def _direct(self, label: Label, kind: str) -> Range | None:
        """Returns a value after a sign: `password: …`, `"token" = "…"`."""
        text = self.text
        sign = SIGN.match(text, label.stop)
        if sign is None:
            return None
        at = sign.end()
        value = quoted_at(text, at)
        if value is not None:
            prose = _AFTER_WORD.search(text, max(0, label.start - 2), label.start) and text[label.stop] in " :"
            strict = text[value[0] - 1] in "\"'`" and not prose
            chosen = kind == "password" or (kind == "key" and is_any(self.lower, label))
            if chosen and strict and is_named(text, label, value, sign[0]):
                return value if is_phrase(text[slice(*value)], self.lexicon, setting=label.name) else None
            quoted = accepts(kind, text[slice(*value)], Link.SIGN, self.lexicon, quoted=True, strict=strict)
            if not quoted and chosen and " " not in text[slice(*value)]:
                return setting(text, self.lower, label, value, sign[0], self.lexicon)
            return value if quoted else None
        begins = max(0, label.start - (30 if label.name else 1))
        query = _QUERY.search(text, begins, label.start) is not None
        value = bare_at(text, at, query=query, to_blank=not query)
        if value is None:
            return None
        value = grouped(text, value) if kind == "code" else value
        if text[value[1] : value[1] + 1] in ("=", ":") or self._begins_label(at, "\n" in sign[0]):
            return None
        if self._counts(value):
            return None
        if accepts(kind, text[slice(*value)], Link.SIGN, self.lexicon):
            return value
        if kind == "password" or (kind == "key" and is_any(self.lower, label)):
            value_range = setting(text, self.lower, label, value, sign[0], self.lexicon)
            if value_range is not None:
                return value_range
        if kind not in ("password", "weak"):
            return None
        return words_at(text, self.lower, label, kind, at, Link.SIGN, self.lexicon)

    def _told(self, label: Label, kind: str, after: int) -> Range | None:
        """Returns a value after a verb, after what the value is of and a verb, or directly after the word."""
        text = self.text
        lower = self.lower
        lexicon = self.lexicon
        end = _END.search(text, label.stop, max(after, label.stop))
        stop = end.start() if end is not None else after
        at = label.stop
        link = Link.NEXT
        owned = _OWNED.match(text, at)
        if owned is not None:
            at = owned.end()
            link = Link.VERB
        closing = _CLOSING.match(text, at)
        at = closing.end() if closing is not None else at
        # `scope`: what the value is of is being said; `opened`: a preposition has begun it; `placed`: it is a place
        scope = opened = placed = False
        count = 0
        while at < stop and count < WORDS:
            blanks = _BLANKS.match(text, at)
            at = blanks.end() if blanks is not None else at
            character = text[at : at + 1]
            sign = _LATER_SIGN.match(text, at)
            verb = lexicon.connectors.match(lower, at) if sign is None else None
            if verb is not None and LETTER.match(character) and LETTER.match(text[at - 1 : at]):
                verb = None
            if sign is not None or verb is not None:
                joint = sign or verb
                assert joint is not None
                link = Link.VERB
                scope = False
                at = joint.end()
                count = count + (verb is not None)
                continue
            value = quoted_at(text, at) if link > Link.NONE or not scope else None
            if value is not None:
                strict = label.name or (link < Link.VERB and (link is Link.NONE or closing is not None))
                value_link = Link.SIGN if link is Link.VERB else link
                quoted = accepts(kind, text[slice(*value)], value_link, lexicon, quoted=link > Link.NONE, strict=strict)
                return value if quoted else None
            between = _BETWEEN.match(text, at) or (_ASIDE.match(text, at) if link < Link.VERB else None)
            if between is not None:
                if character in ",，、":
                    link, scope = link if link is Link.VERB else Link.NONE, scope and link < Link.VERB
                at = between.end()
                continue
            if (character in "(（" and link is Link.VERB) or (character == "[" and kind == "code"):
                at += 1
                continue
            value = bare_at(text, at)
            if value is not None and text[value[1] - 1] == "=" and text[value[1] : value[1] + 1] in ('"', "'", "`"):
                return None  # the next attribute of a tag
            if value is not None and kind == "code":
                value = grouped(text, value)
            if value is not None and not scope:
                value_range = self._told_value(label, kind, at, value, link)
                if value_range is not None:
                    return value_range
            if value is not None and scope and placed and kind == "code" and self._is_number(value):
                return value
            run = _JOINED_RUN.match(text, at, stop)
            if run is not None:
                value_range = words_at(text, lower, label, kind, at, link, lexicon) if label.any_word else None
                if value_range is not None or (len(run[0]) > 12 and link < Link.VERB):
                    return value_range
                signed = len(run[0]) <= 4 or _ENDS_SIGNED.search(run[0])
                link = link if link is Link.VERB and signed else Link.NONE
                at = run.end()
                count = count + 1
                continue
            word = _WORD.match(text, at)
            if word is None:
                if character not in '(（["“”„«»':
                    return None
                at += 1
                continue
            plain = word[0].lower().rstrip(".")
            elided = regex.split("['’]", plain)[0]
            opens = plain in lexicon.scopes or (elided != plain and elided + "'" in lexicon.scopes)
            opened = opened or opens
            if plain not in lexicon.glue or scope:
                if not opens and scope and link is Link.VERB:
                    return None
                named = opened or (link is Link.NEXT and kind == "code") or self._is_thing(word[0], plain)
                if not opens and not scope and not named:
                    return None
                if opens or not scope:
                    scope = True
                    link = Link.NONE
            link = link if link is Link.VERB else Link.NONE
            placed = lexicon.places.fullmatch(plain) is not None
            at = word.end()
            count = count + 1
        return None

    def _told_value(self, label: Label, kind: str, at: int, value: Range, link: Link) -> Range | None:
        """Returns a value, or words, at a place after a word that asks for one, if they are a secret."""
        text = self.text
        lexicon = self.lexicon
        if (at == label.stop and LETTER.match(text[at - 1])) or text[at] in ".@/()":
            return None
        value_text = text[slice(*value)]
        gate = (
            link is Link.NEXT
            and YEAR.fullmatch(value_text)
            and lexicon.places.fullmatch(self.lower, label.start, label.stop)
        )
        if not gate and not self._counts(value) and accepts(kind, value_text, link, lexicon):
            return value
        if link is Link.NONE or kind not in ("password", "weak") or self._begins_label(at, False):
            return None
        return words_at(text, self.lower, label, kind, at, link, lexicon)

    def _is_thing(self, word: str, plain: str) -> bool:
        """True if a word may be what the value is of without a preposition: “Passwort Router ist …”."""
        return bool(self.lexicon.cues.single.get(plain, 0) & Cue.THING) or (word[0].isupper() and word.isalpha())

    def _before(self, label: Label, kind: str, back: int) -> Range | None:
        """Returns a value before the word: “… is the password”, “… als Passwort”, “…がパスワード”."""
        start = max(back, self.text.rfind("\n", back, label.start) + 1)
        if kind not in ("password", "key", "code", "pair") or label.start - start < 4:
            return None
        before = self.text[start : label.start]
        trimmed = before.rstrip()
        for particle in self.lexicon.joined_before if trimmed.endswith(self.lexicon.joined_before) else ():
            if trimmed.endswith(particle):
                return self._value_ending(start, start + len(trimmed) - len(particle), kind)
        linked = ""
        others = 0
        for piece in reversed(list(_PIECE.finditer(before))[-7:]):
            word = piece[0].lower().strip(",.:;()")
            if word in self.lexicon.verbs:
                linked = word
            elif word not in self.lexicon.before:
                others += 1
                if linked:
                    return self._value_ending(start, start + piece.end(), kind, words=linked in _AS)
                if others > 2:
                    return None
        return None

    def _value_ending(self, start: int, end: int, kind: str, *, words: bool = False) -> Range | None:
        """Returns a value that ends at a place. `words`: whether it may be a word."""
        quoted = _QUOTED_END.search(self.text, start, end)
        if quoted is not None and kind == "password" and is_phrase(quoted["secret"], self.lexicon):
            return quoted.span("secret")
        value = bare_before(self.text, start, end)
        word = self.text[slice(*value)]
        if self.lexicon.cues.said(self.lower[start : value[0]]) & Cue.HASH:
            return None
        if words and kind == "password":
            entered = _ENTERED.search(self.lower, max(start, value[0] - 12), value[0]) is not None
            if is_chosen_word(word, self.lexicon, entered=entered and self.text.startswith(_NO_NOUNS, end)):
                return value
        shape = shape_of(word)
        chosen = shape is Shape.STRONG and kind in ("password", "pair") and len(word) >= 6
        number = kind == "code" and shape in (Shape.NUMBER, Shape.STRONG) and sum(map(str.isdigit, word)) >= 4
        return value if shape is Shape.MACHINE or chosen or (number and not self._counts(value)) else None

    def _later(self, label: Label, kind: str, after: int) -> Range | None:
        """Returns a value after a sign that ends the clause: “a password is generated for root@localhost: …”."""
        sign = _CLAUSE.match(self.text, label.stop, min(after, label.stop + 80))
        value = bare_at(self.text, sign.end()) if sign is not None and kind in ("password", "key", "code") else None
        if value is None:
            return None
        if kind == "code":
            value = grouped(self.text, value)
            return value if self._is_number(value) and value[1] - value[0] >= 4 else None
        if "phrase" in (spelled := self.lower[label.start : label.stop]) or "satz" in spelled:
            return words_at(self.text, self.lower, label, kind, value[0], Link.VERB, self.lexicon)
        word = self.text[slice(*value)]
        kinds = sum(any(map(test, word)) for test in (str.islower, str.isupper, str.isdigit, _is_sign))
        hard = shape_of(word) is Shape.STRONG and kinds >= 3 and len(word) >= 8 and kind == "password"
        return value if (hard or shape_of(word) is Shape.MACHINE) and not is_name(word) else None

    def _counts(self, value: Range) -> bool:
        """True if a value is a number of something: “is 12 characters long”."""
        return self.text[slice(*value)].strip("*#").isdigit() and self.lexicon.counts(self.lower, value[1])

    def _is_number(self, value: Range) -> bool:
        return shape_of(self.text[slice(*value)]) is Shape.NUMBER and not self._counts(value)

    def _begins_label(self, at: int, spaced: bool) -> bool:
        """True if a name with its own value begins at a place."""
        name = (_SPACED_NAME if spaced else _NAME).match(self.text, at)
        return name is not None and self.lexicon.begins(self.lower, at)


def _is_sign(character: str) -> bool:
    return not character.isalnum() and character not in "_-./:,"
