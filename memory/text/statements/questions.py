"""Questions beside statements: which sentences answer, and whether two messages answer about equally."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import product
from math import inf
from typing import NamedTuple

from foxing.memory.text.terms import is_unspaced

from .comparison import of_one_person, quantities_of
from .differences import differences_of
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


class ShortAnswer(NamedTuple):
    """A short message beside a question."""

    sentences: Sequence[Sentence]
    #: Words of the question that it has, and those of them that say something by themselves.
    asked: frozenset[str]
    named: frozenset[str]
    #: Words of the question, as they are compared in the language of the message.
    question: Sequence[Token]

    def is_as_good_as(self, old: "ShortAnswer") -> bool:
        """Returns True if a later message is about what the question names and an earlier statement is about: it has
        all words of the question that this has, and does not say the same of another thing."""
        return (
            len(old.sentences) == 1
            and self.sentences[0].code == old.sentences[0].code
            and bool(old.named)
            and old.asked <= self.asked
            and not any(_is_parallel(sentence, old.sentences[0]) for sentence in self.sentences)
        )

    def resumes(self, old: "ShortAnswer") -> bool:
        """Returns True if a later message likely says with another value, in its own words, what an earlier statement
        says."""
        return self._odds(old) >= NEWEST_FIRST

    def ends(self, old: "ShortAnswer", *, same_speaker: bool, to_each_other: bool) -> bool:
        """Returns True if a later message very likely says in its own words that what an earlier one states holds no
        more: not what has happened, nor what another speaker does. See `replaces`."""
        return (
            len(old.sentences) == 1
            and not old.sentences[0].kinds & Kind.EVENT
            and all(
                of_one_person(sentence, old.sentences[0], same_speaker=same_speaker, to_each_other=to_each_other)
                for sentence in self.sentences
            )
            and self._odds(old) >= MARKED
        )

    def _odds(self, old: "ShortAnswer") -> float:
        """Returns the logarithm of the odds that a later message says with another value what an earlier statement
        says; minus infinity if rules compare them, since they are made alike, or if they are of two codes."""
        [before] = old.sentences if len(old.sentences) == 1 else (None,)
        if before is None or before.code != self.sentences[0].code:
            return -inf
        words = frozenset[str]().union(*(sentence.words for sentence in self.sentences))
        if (
            words <= before.words
            or any(map(_is_code, old.asked - words))
            or any(map(_is_code, self.named - before.words))
            or not _are_begun(_subject_of(before) & old.named, words)
            or any(_is_made_like(sentence, before) for sentence in self.sentences)
        ):
            return -inf
        return weights().score(pair_features(self.question, self.sentences, before))

    def lacks_a_place_of(self, old: "ShortAnswer") -> bool:
        """Returns True if an earlier message has a word of the question that says where or when, such as “under”, and
        this one has not."""
        return not old.asked - old.named <= self.asked


class Asked:
    """The words of a question, as they are compared in each language."""

    def __init__(self, question: str) -> None:
        self.question, code = question, language_of(question)
        self._lower = question.casefold()
        self._split = frozenset(_WORD.findall(self._lower))
        self._long_words = tuple(word for word in self._split if len(word) >= SHORTEST_WORD)
        self._named = cache(self._is_named)
        self._tokens = cache(lambda of: tokens_in(question, of))
        self._quantities = cache(lambda of: quantities_of(self._tokens(of)))
        self._of = cache(lambda of: frozenset(form for token in self._tokens(of) for form in _forms(token)))
        self.stems = _stems(frozenset(token.form for token in self._tokens(code) if token.kind & INFORMATIVE))

    def answer(self, sentences: Sequence[Sentence]) -> ShortAnswer | None:
        """Returns a message beside the question; None if it has too many sentences, or none."""
        if not 0 < len(sentences) <= MOST_SENTENCES_OF_ANSWER:
            return None
        if any(len(sentence.tokens) == MOST_WORDS for sentence in sentences):  # the rest has not been read
            return None
        asked = self._of(sentences[0].code)
        found = (form for sentence in sentences for token in sentence.tokens for form in _forms(token))
        named = frozenset[str]().union(*(sentence.words for sentence in sentences))
        return ShortAnswer(sentences, asked.intersection(found), asked & named, self._tokens(sentences[0].code))

    def names_one_of(self, message: Sequence[Sentence]) -> Sequence[Sentence]:
        """Returns the sentences of a message that have a number, a code or a day of the question."""
        return [sentence for sentence in message if not sentence.words.isdisjoint(self._quantities(sentence.code))]

    def names_rather(
        self,
        one: Sequence[Sentence],
        other: Sequence[Sentence],
        first: ShortAnswer | None,
        second: ShortAnswer | None,
    ) -> bool:
        """Returns True if a message says of the thing which the question names what another message says of another
        thing. `one`: those of its sentences that `names_one_of` gives; `first`, `second`: both messages as answers."""
        if any(self._numbers_rather(a, b) for a, b in product(one, other)):
            return True
        return first is not None and second is not None and self._names_rather(first, second)

    def _numbers_rather(self, one: Sentence, other: Sentence) -> bool:
        """Returns True if the question has a number, a code or a day of one of two statements of one sort, in the place
        of which the other has another."""
        shared, asked = len(one.things & other.things), self._quantities(one.code)
        if one.code != other.code or not shared or shared < SHARED_BY_SORT * min(len(one.things), len(other.things)):
            return False
        pairs = [
            (quantities_of(each.old), quantities_of(each.new))
            for a, b in product(one.statements[:1], other.statements[:1])
            for each in differences_of(a, b)
        ]
        named = [(bool(mine & asked), bool(others & asked)) for mine, others in pairs if mine and others]
        return (True, False) in named and (False, True) not in named

    def _names_rather(self, one: ShortAnswer, other: ShortAnswer) -> bool:
        """Returns True if one of two statements that say the same of two things says it of the one that the question
        names, be it within another word: “north” and “northern”."""
        if len(one.sentences) != 1 or len(other.sentences) != 1:
            return False
        ours, theirs = one.sentences[0], other.sentences[0]
        if ours.code != theirs.code or not (ours.words & theirs.words or _have_one_form(ours, theirs)):
            return False
        # reading what statements are about is dear, and most do not differ in what the question names
        if not self._names_one(ours.words, theirs.words) and not self._names(_topic(ours), frozenset()):
            return False
        topics = [topic for topic in (_topic(ours), _topic(theirs)) if topic]
        topics = topics if len(topics) == 2 and topics[0] != topics[1] else []
        about_one_topic = _share_of_words(*topics) >= SHARED_BY_TOPICS if topics else False
        if not about_one_topic and not _say_the_same(ours, theirs):
            return False
        for mine, others in (*([topics] if topics else ()), (ours.words, theirs.words)):
            names_mine, names_others = self._names(mine - others, others), self._names(others - mine, mine)
            if names_mine or names_others:
                return names_mine and not names_others and other.named & others <= one.asked
        return False

    def _names_one(self, mine: frozenset[str], others: frozenset[str]) -> bool:
        """Returns True if the question has a word that one of two texts alone has, and none of the other alone."""
        return self._names(mine - others, others) and not self._names(others - mine, mine)

    def may_name(self, sentences: Sequence[Sentence]) -> bool:
        """Returns True if the question has a word of sentences, be it within another word."""
        return any(self._names(sentence.words, frozenset()) for sentence in sentences)

    def _names(self, forms: frozenset[str], others: frozenset[str]) -> bool:
        """Returns True if the question has one of these words, a part of it, or an ideograph that others lack."""
        if any(map(self._named, forms)):
            return True
        ideographs = frozenset("".join(forms)) - frozenset("".join(others))
        return any(character in self._lower and is_unspaced(character) for character in ideographs - _ASCII)

    def _is_named(self, form: str) -> bool:
        """Returns True if the question has a word or a part of it, be it within another word."""
        return any(
            part in self._split
            or (len(part) >= SHORTEST_WORD and part in self._lower)
            or part.startswith(self._long_words)
            for part in (form, *parts_of_code(form))
        )

    def stems_in(self, sentences: Sequence[Sentence]) -> Sequence[frozenset[str]]:
        """Returns the stems of the question in each sentence."""
        return [self.stems & _stems(sentence.words) for sentence in sentences]


def _topic(sentence: Sentence) -> frozenset[str]:
    """Returns the words of what a sentence is about."""
    first = sentence.statements[:1]
    return first[0].topic_forms if first and first[0].topic else frozenset()


def _stems(words: frozenset[str]) -> frozenset[str]:
    return frozenset([word[:STEM] for word in words])


def _forms(token: Token) -> Sequence[str]:
    """Returns the forms in which a word is looked for: a code by its parts as well."""
    if token.kind & Kind.QUANTITY:
        return (token.form, *parts_of_code(token.form))
    return (token.form,) if token.kind & INFORMATIVE or len(token.form) >= SHORTEST_WORD else ()


def _share_of_words(one: frozenset[str], other: frozenset[str]) -> float:
    """Returns the share of the words of the longer of two texts that both have."""
    return len(one & other) / (max(len(one), len(other)) or 1)


def _say_the_same(one: Sentence, other: Sentence) -> bool:
    """Returns True if two sentences share words, or are made alike."""
    return _have_one_form(one, other) or _share_of_words(one.words, other.words) >= SHARED_BY_SIBLINGS


def _have_one_form(one: Sentence, other: Sentence) -> bool:
    return len(one.tokens) == len(other.tokens) and all(map(_are_of_one_kind, one.tokens, other.tokens))


def _are_of_one_kind(one: Token, other: Token) -> bool:
    return one.kind == other.kind


def _is_code(form: str) -> bool:
    """Returns True for a word that names one thing of several: with a digit, or joined of others."""
    return not form.isalpha()


def _is_made_like(one: Sentence, other: Sentence) -> bool:
    """Returns True if two sentences are of one form, or most of their letters are the same."""
    pairs, others = letter_pairs(one.text), letter_pairs(other.text)
    return len(pairs & others) >= MOST_SHARED_BY_OTHER_WORDS * max(len(pairs), len(others)) or _have_one_form(
        one, other
    )


def _subject_of(sentence: Sentence) -> frozenset[str]:
    """Returns the words of a sentence that come before its predicate."""
    return sentence.statements[0].topic_forms if sentence.statements else frozenset()


def _are_begun(words: Iterable[str], among: frozenset[str]) -> bool:
    """Returns True if for each word there is one that begins as it does, such as another compound of its first part."""
    return all(any(other[:_BEGINNING] == word[:_BEGINNING] for other in among) for word in words)


def _is_parallel(after: Sentence, before: Sentence) -> bool:
    """Returns True if two sentences put it alike, and words that name the thing or several words differ."""
    if _share_of_words(after.words, before.words) < SHARED_BY_PARALLELS:
        return False
    if not (after.statements and before.statements):
        return False
    differences = list(differences_of(before.statements[0], after.statements[0]))
    return len(differences) > 1 or any(each.old_names and each.new_names for each in differences)
