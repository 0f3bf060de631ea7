"""Sentences read word by word: which phrases announce a change, deny a value or stand for other words."""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from .parts import statements_in
from .statement import INFORMATIVE, SentenceFrame, Statement
from .tokens import BREAK, CHANGE, JOIN, Token, kinds_of, token_of, words_in
from .wording import DENIALS, Kind, Phrase, Role, Wording, WordPhrases, phrases_from
from .words import BREAKS, HIRAGANA, raw_words

MOST_WORDS = 60  # of a sentence
MOST_DENIED_WORDS = 4
MOST_OBJECT_WORDS = 6  # of “moved the weekly meeting to”
#: Forms of verbs after which another clause follows.
_KOREAN_CLAUSE = re.compile(
    "(?:[해아어여겨와워져돼려켜쳐셔나바러가]서|[하되두팔끊놓꾸오내치지리우떼먹않없있접]고|니까|는데|은데|지만|더니)$"
)
_JAPANESE_CLAUSE = re.compile("[しっいきえけせねべめれげびみりち]?て|[んい]で")
#: Endings of verbs in Japanese, after an ideograph.
_JAPANESE_VERB = re.compile(
    "っ[てた]|ん[でだ]|い[てたま]|[きぎしちひみりびけげせてねべめれえ](?:[てたまらなそるよ]|直)|ま[すし]|[うくぐすつぬぶむる]$"
)


class Parse:
    """A sentence in which the phrases of its language have been applied."""

    def __init__(self, text: str, words: Wording) -> None:
        self.words = words
        self.changed = self.corrected = self.former = False
        self.exclusive: set[str] = set()
        self.denied: set[str] = set()
        self.title = ""
        self.tokens: list[Token] = []
        raw = words_in(text if words.spaced else self._without_phrases(text), words.code)[:MOST_WORDS]
        if words.spaced:
            self._read(raw)
        else:
            self.tokens += _unspaced(raw, words.code)

    def statements(self, *, announced: bool, opened: bool) -> Iterator[Statement]:
        """Yields the sentence, followed by its parts. `announced`: whether the sentence before it announces a change
        and says nothing else; `opened`: whether words before it take something back."""
        frame = SentenceFrame(
            self.words.code,
            frozenset(self.exclusive),
            frozenset(self.denied),
            self.title,
            announced or opened or (self.changed and not self.words.spaced),
            self.corrected or (announced and not self.changed),
            self.former,
            bool(kinds_of(self.tokens) & Kind.OWN),
        )
        return statements_in(self.tokens, frame, self.words)

    def _read(self, raw: Sequence[str]) -> None:
        """Reads the words of a language with spaces."""
        lower = [word.casefold().replace("’", "'") for word in raw]
        code, clauses = self.words.code, self.words.clauses
        tokens = [token_of(word, code) for word in raw]
        beginnings = [phrases_from(word, code) for word in lower]
        place = 0
        while place < len(raw):
            of_word = beginnings[place]
            phrases = () if of_word is None else _present(of_word, lower, place)
            stop = self._apply_one_of(phrases, raw, lower, place) if phrases else None
            if not phrases and lower[place] in clauses:
                self.tokens += self._break(lower[place])
            elif stop is None:
                self.tokens.append(tokens[place])
            place = place + 1 if stop is None else stop
            if code == "ko" and _KOREAN_CLAUSE.search(lower[place - 1]):
                self.tokens.append(BREAK)

    def _apply_one_of(
        self, phrases: Sequence[Phrase], raw: Sequence[str], lower: Sequence[str], place: int
    ) -> int | None:
        """Applies phrases until one has read words, and returns the place after these; None if none has."""
        stops = (self._apply(phrase, raw, lower, place) for phrase in phrases)
        return next((stop for stop in stops if stop is not None), None)

    def _break(self, word: str) -> Sequence[Token]:
        """Returns the break at a word that begins another part, with the word if it says when that holds: “when”."""
        if word in self.words.joins:
            return (JOIN,)
        token = token_of(word, self.words.code)
        return (BREAK, token) if token.kind & Kind.SETTING else (BREAK,)

    def _apply(self, phrase: Phrase, raw: Sequence[str], lower: Sequence[str], place: int) -> int | None:
        """Applies a phrase, and returns the place after the words that it has read; None if they are still to be
        read."""
        after = place + len(phrase.words)
        match phrase.role:
            case Role.CHANGE:
                self._announce(phrase)
                self.tokens.append(CHANGE)
            case Role.CHANGES_OBJECT:
                return self._change_object(phrase, raw, lower, after)
            case Role.FORMER:
                self.former = True
            case Role.SAME:
                self._put(phrase.other)
            case Role.EXCLUSIVE:
                self.exclusive.add(token_of(phrase.words[0], self.words.code).form)
                return None
            case Role.DENIES_BEFORE:
                self._deny_before()
            case Role.DENIES_AFTER:
                stop = after
                while stop < len(raw) and stop - after < MOST_DENIED_WORDS and not self._stops(lower[stop]):
                    stop += 1
                self._deny(raw[after:stop])
                return stop
            case Role.DENIES_BETWEEN:
                within = lower[after : after + MOST_DENIED_WORDS + 1]
                if phrase.other[0] not in within[1:]:
                    return None
                stop = after + within.index(phrase.other[0], 1)
                self._deny(raw[after:stop])
                return stop
        return after

    def _change_object(self, phrase: Phrase, raw: Sequence[str], lower: Sequence[str], after: int) -> int | None:
        """Reads the object of a verb as what the statement is about: “moved the meeting to”."""
        within = list(takewhile(lambda word: word not in BREAKS, lower[after : after + MOST_OBJECT_WORDS + 1]))
        if phrase.other[0] not in within[1:]:
            return None
        stop = after + within.index(phrase.other[0], 1)
        self.changed = True
        self.tokens += [BREAK, *(token_of(word, self.words.code) for word in raw[after:stop]), CHANGE]
        return stop + 1

    def _announce(self, phrase: Phrase) -> None:
        self.changed = True
        self.corrected = self.corrected or phrase.text not in self.words.weak

    def _put(self, words: Sequence[str]) -> None:
        """Reads words in the place of those of a phrase."""
        for word in words:
            token = token_of(word, self.words.code)
            self.tokens.append(token)
            if any(phrase.role is Role.EXCLUSIVE for phrase in self.words.phrases.get(word, ())):
                self.exclusive.add(token.form)

    def _stops(self, word: str) -> bool:
        return word in BREAKS or word in self.words.stops

    def _deny_before(self) -> None:
        """Takes the last word back, with its particles."""
        tokens = self.tokens[:]
        while tokens and tokens[-1] is not BREAK and not tokens[-1].kind & INFORMATIVE:
            tokens.pop()
        if tokens and tokens[-1].kind & INFORMATIVE:
            self.denied.add(tokens.pop().form)
            self.tokens = tokens

    def _deny(self, raw: Sequence[str]) -> None:
        forms = (token_of(word, self.words.code) for word in raw)
        self.denied |= {form for form, kind in forms if kind & (INFORMATIVE | Kind.OWN)}
        self.title = " ".join(raw).casefold()

    def _without_phrases(self, text: str) -> str:
        """Returns a text without spaces, without what its phrases announce or deny."""
        every = [phrase for phrases in self.words.phrases.values() for phrase in phrases]
        for phrase in sorted(every, key=lambda phrase: (phrase.role not in DENIALS, phrase.role is not Role.SAME)):
            if phrase.words[0] in text:
                text = self._without(phrase, text)
        for word, kind in self.words.kinds.items():
            if kind & (Kind.ADDITION | Kind.EVENT) and word in text:
                self.tokens.append(Token(word, kind & (Kind.ADDITION | Kind.EVENT)))
        return text

    def _without(self, phrase: Phrase, text: str) -> str:
        """Returns a text without spaces in which a phrase has been applied."""
        marker = phrase.words[0]
        before, _, after = text.partition(marker)
        match phrase.role:
            case Role.CHANGE:
                self._announce(phrase)
                return text.replace(marker, " ")
            case Role.FORMER:
                self.former = True
            case Role.SAME:
                return text.replace(marker, phrase.other[0])
            case Role.EXCLUSIVE:
                self.exclusive.add(marker)
            case Role.DENIES_BEFORE:
                start = max(map(before.rfind, BREAKS)) + 1
                topic = before.find("は", start) + 1 or start
                self._deny(raw_words(before[topic:], self.words.code))
                return before[:topic] + after
            case Role.DENIES_BETWEEN:
                denied, stop, rest = after.partition(phrase.other[0])
                if stop:
                    self._deny(raw_words(denied, self.words.code))
                    return before + stop.lstrip("，") + rest
        return text


def _present(of_word: WordPhrases, lower: Sequence[str], place: int) -> Sequence[Phrase]:
    """Returns the phrases that begin with a word, longest first."""
    second = lower[place + 1] if place + 1 < len(lower) else ""
    candidates = of_word.by_second.get(second, of_word.by_second[""])
    present = [phrase for phrase in candidates if tuple(lower[place : place + len(phrase.words)]) == phrase.words]
    return present or of_word.beginning


def _unspaced(raw: Sequence[str], code: str) -> Iterator[Token]:
    """Yields the words of a language without spaces; those of Japanese with its verbs, and breaks after clauses."""
    for place, word in enumerate(raw):
        token = token_of(word, code)
        after = raw[place + 1] if place + 1 < len(raw) else " "
        if code == "ja" and token.kind == Kind.THING and _JAPANESE_VERB.match(after):
            token = Token(token.form, token.kind | Kind.VERB)
        yield token
        if code == "ja" and place and word[0] in HIRAGANA and _JAPANESE_CLAUSE.fullmatch(word):
            yield BREAK
