"""Questions beside statements: which sentence of a message answers, and which messages answer about equally."""

from collections.abc import Mapping, Sequence
from functools import cache

from .differences import differences_of
from .sentences import Sentence
from .statement import INFORMATIVE
from .tokens import Token, tokens_in
from .wording import Kind
from .words import parts_of_code

SHORTEST_WORD = 4  # letters of a word that may tell things apart, such as “under”, though it says nothing by itself
#: Share of the words of the longer of two sentences that they have in common if they say the same of two things.
SHARED_BY_PARALLELS = 0.25
MOST_SENTENCES_OF_ANSWER = 2  # “Change of plans! We meet at the Bell.”


class Asked:
    """The words of a question, as they are compared in each language."""

    def __init__(self, question: str) -> None:
        self.question = question
        self._words = cache(self._words_in)

    def _words_in(self, code: str) -> frozenset[str]:
        return frozenset(form for token in tokens_in(self.question, code) for form in _forms(token))

    def found_in(self, sentence: Sentence) -> Mapping[str, bool]:
        """Returns the words of the question in a sentence → whether each says something by itself."""
        asked = self._words(sentence.code)
        return {
            form: bool(token.kind & INFORMATIVE)
            for token in sentence.tokens
            for form in _forms(token)
            if form in asked
        }

    def focus(self, sentences: Sequence[Sentence]) -> Sequence[Sentence]:
        """Returns the sentences of a message with the most words of the question; all of them if none has any."""
        if len(sentences) < 2:
            return sentences
        counts = [sum(self.found_in(sentence).values()) for sentence in sentences]
        most = max(counts)
        return [sentence for sentence, count in zip(sentences, counts, strict=True) if count == most]

    def coverage(self, sentences: Sequence[Sentence]) -> float:
        """Returns the largest share of the words of the question that say something which is in one sentence."""
        shares = [0.0]
        for sentence in sentences:
            asked = sum(bool(token.kind & INFORMATIVE) for token in set(tokens_in(self.question, sentence.code)))
            shares.append(sum(self.found_in(sentence).values()) / asked if asked > 1 else 0.0)
        return max(shares)

    def is_answered_as_well(self, new: Sequence[Sentence], old: Sequence[Sentence]) -> bool:
        """Returns True if a later message is about what the question names and an earlier statement is about: it has
        all words of the question that this has, and does not say the same of another thing."""
        if len(old) != 1 or not 0 < len(new) <= MOST_SENTENCES_OF_ANSWER or new[0].code != old[0].code:
            return False
        before = self.found_in(old[0])
        after = {form for sentence in new for form in self.found_in(sentence)}
        return (
            any(before.values())
            and before.keys() <= after
            and not any(_is_parallel(sentence, old[0]) for sentence in new)
        )


def _forms(token: Token) -> Sequence[str]:
    """Returns the forms in which a word is looked for: a code by its parts as well."""
    if token.kind & Kind.QUANTITY:
        return (token.form, *parts_of_code(token.form))
    return (token.form,) if token.kind & INFORMATIVE or len(token.form) >= SHORTEST_WORD else ()


def _is_parallel(after: Sentence, before: Sentence) -> bool:
    """Returns True if two sentences put it alike, and words that name the thing or several words differ."""
    ours, theirs = (_informative(sentence) for sentence in (after, before))
    if len(ours & theirs) < SHARED_BY_PARALLELS * max(len(ours), len(theirs)):
        return False
    if not after.statements or not before.statements:
        return False
    differences = list(differences_of(before.statements[0], after.statements[0]))
    return len(differences) > 1 or any(each.old_names and each.new_names for each in differences)


def _informative(sentence: Sentence) -> frozenset[str]:
    return frozenset([token.form for token in sentence.tokens if token.kind & INFORMATIVE])
