"""Questions beside statements: which sentences answer, and whether two messages answer about equally."""

import re
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from itertools import product, starmap
from math import inf

import numpy as np

from foxing.memory.text.terms import is_unspaced

from .comparison import Speakers, of_one_person, quantities_of
from .differences import differ_in_several, differences_of
from .incidence import Pairs, equal, in_common, lacking, shares
from .parse import MOST_WORDS
from .scorer import letter_pairs, pair_features, weights
from .sentences import Sentence
from .statement import INFORMATIVE
from .tokens import Token, language_of, tokens_in
from .wording import Kind
from .words import parts_of_code

SHORTEST_WORD = 4  # letters of a word that may tell things apart, such as “under”, though it says nothing by itself
STEM = 5  # first letters of a word that its derivations share: “citizen” and “citizenship”
#: Share of the words of one that two statements about things of one sort have in common.
SHARED_BY_SORT = 0.3
#: Share of the words of the longer of two sentences that they have in common if they say the same of two things.
SHARED_BY_PARALLELS = 0.25
SHARED_BY_SIBLINGS, SHARED_BY_TOPICS = 0.4, 0.5
#: Share of the pairs of letters of the longer of two statements from which they are not in other words.
MOST_SHARED_BY_OTHER_WORDS = 0.5
MOST_SENTENCES_OF_ANSWER = 2  # “Change of plans! We meet at the Bell.”

#: Logarithms of the odds from which a later message comes before an earlier one, and says that it holds no more.
NEWEST_FIRST, MARKED = -1.0, -0.5

_BEGINNING = 4  # letters by which two words are of one stem or compound

_WORD = re.compile(r"\w+")
_ASCII = frozenset(map(chr, range(128)))
_NO_WORDS = frozenset[str]()


class Asked:
    """The words of a question, as they are compared in each language."""

    def __init__(self, question: str) -> None:
        self.question, code = question, language_of(question)
        self._lower = question.casefold()
        self._split = frozenset(_WORD.findall(self._lower))
        self._long_words = tuple(word for word in self._split if len(word) >= SHORTEST_WORD)
        #: Its words, and those of them that are looked for, are numbers or are looked for within others, by language.
        self.tokens = cache(lambda code: tokens_in(question, code))
        self.forms = cache(lambda code: _forms(self.tokens(code)))
        self.quantities = cache(lambda code: quantities_of(self.tokens(code)))
        self._names = cache(self._is_named)
        self._unspaced = frozenset(filter(is_unspaced, frozenset(self._lower) - _ASCII))
        self.stems = _stems(frozenset(token.form for token in self.tokens(code) if token.kind & INFORMATIVE))

    def stems_in(self, sentences: Sequence[Sentence]) -> Sequence[frozenset[str]]:
        """Returns the stems of the question in each sentence."""
        return [self.stems & _stems(sentence.words) for sentence in sentences]

    def named(self, words: frozenset[str]) -> frozenset[str]:
        """Returns those of some words that the question has, be it in part or within another word, and the ideographs
        in them that it has, each after a blank."""
        ideographs = self._unspaced.intersection("".join(words)) if self._unspaced else ()
        return frozenset(filter(self._names, words)).union(f" {ideograph}" for ideograph in ideographs)

    def _is_named(self, form: str) -> bool:
        """Returns True if the question has a word or a part of it, be it within another word."""
        if form in self._split or (len(form) >= SHORTEST_WORD and form in self._lower):
            return True
        if form.startswith(self._long_words):
            return True
        return not form.isalnum() and any(map(self._is_named, parts_of_code(form)))


class AnswerPairs:
    """Messages beside a question, compared in pairs: by their words at once, and then by what they state. Those with
    more than a few sentences answer nothing."""

    def __init__(self, question: Asked, messages: Sequence[Sequence[Sentence]]) -> None:
        self._question, self._messages = question, messages
        #: The sentences of each that answers; their words that say something by themselves; words of the question in
        #: them; and those that are both.
        self._short = [sentences if _is_short(sentences) else () for sentences in messages]
        self._words = [_NO_WORDS.union(*(sentence.words for sentence in sentences)) for sentences in self._short]
        self._asked = [
            question.forms(short[0].code) & _NO_WORDS.union(*[_forms(entry.tokens) for entry in short])
            if short
            else _NO_WORDS
            for short in self._short
        ]
        self._named = [of_question & words for of_question, words in zip(self._asked, self._words, strict=True)]
        sizes = np.array([len(sentences) for sentences in self._short])
        self._single = sizes == 1
        codes = equal([sentences[0].code if sentences else "" for sentences in self._short])
        #: bool[n, n]: whether both answer in one language, the second in one sentence.
        self._of_one = (sizes > 0)[:, None] & self._single & codes
        self._common = in_common(self._words)
        self._odds: dict[tuple[int, int], float] = {}

    @cached_property
    def as_good(self) -> Pairs:
        """bool[newer, older]: whether the words of both admit that one answers as well as the other: it has all words
        of the question that this has."""
        named = np.array(list(map(bool, self._named)), np.bool_)
        return np.asarray(self._of_one & named[:, None] & named & ~lacking(self._asked, self._asked))

    def are_as_good(self, newer: int, older: int) -> bool:
        """Returns True if a later message is about what the question names and an earlier statement is about, and does
        not say the same of another thing."""
        before = self._messages[older][0]
        return not any(_is_parallel(sentence, before) for sentence in self._messages[newer])

    @cached_property
    def may_resume(self) -> Pairs:
        """bool[newer, older]: whether the words of both admit that the later one says in its own words what has become
        of what the earlier one says. Rules compare those that are made alike."""
        codes = [frozenset(filter(_is_code, of_question)) for of_question in self._asked]
        all_codes = _NO_WORDS.union(*codes)
        ours = [words & all_codes for words in self._words]
        named = [of_one & words for of_one, words in zip(codes, self._words, strict=True)]
        may_resume = self._of_one & (self._common < self._common.diagonal()[:, None])
        may_resume &= ~lacking(ours, codes) & ~lacking(ours, named).T
        return np.asarray(may_resume)

    def _are_made_alike(self, newer: int, older: int) -> bool:
        """Returns True if a sentence of one message and the first one of another are of one form, or have most of their
        letters in common."""
        before = self._short[older][0]
        letters, kinds = letter_pairs(before.text), _kinds(before)
        return any(
            kinds == _kinds(after) or _share_of_words(letter_pairs(after.text), letters) >= MOST_SHARED_BY_OTHER_WORDS
            for after in self._short[newer]
        )

    def resume(self, newer: int, older: int) -> bool:
        """Returns True if a later message likely says with another value, in its own words, what an earlier statement
        says."""
        return self._odds_of(newer, older) >= NEWEST_FIRST

    def end(self, newer: int, older: int, speakers: Speakers) -> bool:
        """Returns True if a later message very likely says in its own words that what an earlier one states holds no
        more: not what has happened, nor what another speaker does. See `SentencePairs.replaces`."""
        before = self._messages[older][0]
        return (
            not before.kinds & Kind.EVENT
            and all(of_one_person(sentence, before, speakers) for sentence in self._messages[newer])
            and self._odds_of(newer, older) >= MARKED
        )

    def _odds_of(self, newer: int, older: int) -> float:
        """Returns the logarithm of the odds that a later message says with another value what an earlier statement
        says; minus infinity if their words do not admit it."""
        if not self.may_resume[newer, older]:
            return -inf
        if (newer, older) not in self._odds:
            after, [before] = self._messages[newer], self._messages[older]
            pair = None
            if not self._are_made_alike(newer, older) and _are_begun(
                before.topic & self._named[older], self._words[newer]
            ):
                pair = pair_features(self._question.tokens(before.code), after, before)
            self._odds[newer, older] = -inf if pair is None else weights().score(pair)
        return self._odds[newer, older]

    @cached_property
    def lack_a_place(self) -> Pairs:
        """bool[newer, older]: whether an earlier message has a word of the question that says where or when, such as
        “under”, and the later one has not."""
        places = [of_question - named for of_question, named in zip(self._asked, self._named, strict=True)]
        answers = np.array(list(map(bool, self._short)), np.bool_)
        return np.asarray(answers[:, None] & lacking(self._asked, places))

    def names_rather(self, may_pass: Pairs) -> Pairs:
        """Returns bool[n, n]: whether a message says of the thing which the question names, be it within another word
        (“north” and “northern”), what another message says of another thing. `may_pass`: which are asked for."""
        rather = may_pass & self._name_rather
        numbered = [
            [entry for entry in sentences if not entry.words.isdisjoint(self._question.quantities(entry.code))]
            for sentences in self._messages
        ]
        for one in (number for number, sentences in enumerate(numbered) if sentences):
            for other in np.flatnonzero(may_pass[one] & ~rather[one]).tolist():
                rather[one, other] = any(starmap(self._numbers_rather, product(numbered[one], self._messages[other])))
        return rather

    @cached_property
    def _name_rather(self) -> Pairs:
        """bool[n, n]: whether the words of one sentence, or of what it is about, are those that the question names, and
        those of another one, which says the same, are not."""
        topics = [short[0].topic if len(short) == 1 else _NO_WORDS for short in self._short]
        forms = equal([_kinds(short[0]) if short else () for short in self._short])
        has_topic = np.array(list(map(bool, topics)), np.bool_)
        differ = has_topic[:, None] & has_topic & ~equal(topics)
        one_topic = differ & (shares(in_common(topics)) >= SHARED_BY_TOPICS)
        same = forms | (shares(self._common) >= SHARED_BY_SIBLINGS) | (one_topic & (self._common > 0))
        named = [self._question.named(topic) for topic in topics]
        others, lacks = (
            lacking(named, named),
            lacking(self._asked, list(map(frozenset.intersection, self._named, topics))),
        )
        by_topic = others.T & ~others & ~lacks
        decided = differ & (others | others.T)
        named = list(map(self._question.named, self._words))
        others, lacks = lacking(named, named), lacking(self._asked, self._named)
        by_words = others.T & ~others & ~lacks
        return np.asarray(self._of_one & self._single[:, None] & same & np.where(decided, by_topic, by_words))

    def _numbers_rather(self, one: Sentence, other: Sentence) -> bool:
        """Returns True if the question has a number, a code or a day of one of two statements of one sort, in the place
        of which the other has another."""
        shared, of_question = len(one.things & other.things), self._question.quantities(one.code)
        if one.code != other.code or not shared or shared < SHARED_BY_SORT * min(len(one.things), len(other.things)):
            return False
        pairs = [
            (quantities_of(entry.old), quantities_of(entry.new))
            for a, b in product(one.statements[:1], other.statements[:1])
            for entry in differences_of(a, b)
        ]
        named = [(bool(mine & of_question), bool(others & of_question)) for mine, others in pairs if mine and others]
        return (True, False) in named and (False, True) not in named


def _is_short(message: Sequence[Sentence]) -> bool:
    """Returns True if a message has few sentences, all of which have been read."""
    few = 0 < len(message) <= MOST_SENTENCES_OF_ANSWER
    return few and all(len(sentence.tokens) < MOST_WORDS for sentence in message)


def _kinds(sentence: Sentence) -> tuple[int, ...]:
    return tuple([token.kind for token in sentence.tokens])


def _forms(tokens: Sequence[Token]) -> frozenset[str]:
    """Returns the forms in which words are looked for: a code by its parts as well."""
    forms = [token.form for token in tokens if token.kind & INFORMATIVE or len(token.form) >= SHORTEST_WORD]
    codes = [token.form for token in tokens if token.kind & Kind.QUANTITY and not token.form.isalnum()]
    return frozenset(forms).union(*map(parts_of_code, codes))


def _stems(words: frozenset[str]) -> frozenset[str]:
    return frozenset([word[:STEM] for word in words])


def _share_of_words(one: frozenset[str], other: frozenset[str]) -> float:
    """Returns the share of the words of the longer of two texts that both have."""
    return len(one & other) / (max(len(one), len(other)) or 1)


def _is_code(form: str) -> bool:
    """Returns True for a word that names one thing of several: with a digit, or joined of others."""
    return not form.isalpha()


def _are_begun(words: Iterable[str], among: frozenset[str]) -> bool:
    """Returns True if for each word there is one that begins as it does, such as another compound of its first part."""
    return all(any(other[:_BEGINNING] == word[:_BEGINNING] for other in among) for word in words)


def _is_parallel(after: Sentence, before: Sentence) -> bool:
    """Returns True if two sentences put it alike, and words that name the thing or several words differ."""
    if _share_of_words(after.words, before.words) < SHARED_BY_PARALLELS:
        return False
    first, last = before.statements[:1], after.statements[:1]
    return bool(first and last) and differ_in_several(first[0], last[0])
