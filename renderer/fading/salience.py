"""Salience: the worth of each word of a page, computed from the text alone."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from foxing.renderer.scripts import is_unspaced
from foxing.renderer.typeset import Entry

from .clauses import Clauses
from .dialogue import Dialogue
from .facts import MARKED, PAIR, SAID, UNSPACED_LANGUAGES, is_exact, rules_for
from .fade import FACT, MessageWords
from .frequencies import frequencies_of
from .languages import languages_of
from .message_features import Flags, MessageFeatures
from .names import lower_case_names
from .rules import Rules
from .words import Word, is_punctuation, words_of

#: Salience of the words of a message: float64[words], at least 0; see `fade` for its meaning.
Salience = npt.NDArray[np.float64]
#: Normalised words (see `plain`) → their costs in bits without context, as far as they are known.
IsolatedBits = Callable[[Iterable[str]], Mapping[str, float]]

#: Ranks of words below `FACT`, the integer part of a salience.
PUNCTUATION = 0
FUNCTION_WORD = 1
CONTENT = 2

#: Worth of a frequent word relative to a rare one: maximum, and the power of its rarity with which the worth falls.
_FREQUENT = 0.4
_FREQUENT_POWER = 4
#: In languages without a list of frequent words: length in characters below which a word is seldom rare.
_SHORT = 4
#: In languages without a list of frequent words: average cost in bits of a rare word without context.
_RARE_BITS = 17.0
_SPREAD_BITS = 1.0
#: Bits per character of a word whose cost without context is not known.
_BITS_PER_CHARACTER = 2.2
#: Share of capitalised words inside sentences, and minimum number of such words, above which all nouns of a page are
#: taken to be capitalised, as in German.
_GRAMMAR = 0.18, 60
#: Share and minimum number of capitalised words above which a message counts as written in capitals.
_SHOUTED = 0.6, 6
#: Factors for the words of a first sentence, and of a sentence with facts.
_FIRST_SENTENCE = 1.1
_WITH_FACTS = 1.1
#: Factors for the words of a clause with facts, of a statement of a speaker about themselves, of what one person says
#: about another to their face, of a question, and of a greeting, thanks or a compliment.
_CLAUSE_WITH_FACTS = 1.4
_STATEMENT = 1.3
_ADDRESSED = 0.6
_QUESTION = 0.5
_ASIDE = 0.3
#: Factor for a word that another speaker has stated just before.
_ECHOED = 0.5
#: Share of the worth of a word that is left for those factors.
_SCALE = 0.5
#: Maximum words of a clause that counts as a greeting or a compliment.
_ASIDE_WORDS = 14
#: Words of a negation's clause that are facts with it: after it, before it, and before it where it denies what follows.
_DENIED_AFTER = 10
_DENIED_BEFORE = 6
_SUBJECT = 1
#: Minimum worth of a word that says what is counted or negated.
_EXPLAINING = 0.3
#: Factors by role.
_ROLE_SALIENCE = {"user": 1.0, "assistant": 1.0, "tool": 0.6, "system": 0.8}
#: Worth of a fact by role. Facts stated by a user fade after all others.
_FACT_SALIENCE = {"user": 0.9, "assistant": 0.09, "system": 0.09, "tool": 0.009}
#: Factor for a fact that is one only because of its phrase, such as the noun of a number.
_WITHIN_PHRASE = 0.05
#: Factor for a fact that a tool repeats.
_REPEATED = 0.4
#: Worth of the rarest words, and the maximum worth of a content word.
_RAREST = 0.8
_MOST = 0.99

_HIRAGANA = re.compile("[\u3041-\u309f]+")
_PART = re.compile("[-/]")
#: Follows the key of a JSON object, which is not a fact itself.
_KEY = re.compile(r"[\"'] ?:")
#: Break of a line that goes on in the next one, where a phrase may be broken.
_WRAP = re.compile(r"(?<=[^\n]{20})\n(?=\w)")
_GREETING = re.compile(
    r"(?:hey|hi|hello|hiya|thanks?|thx|thank|you|bye|goodbye|congrats|congratulations|dear|yo|morning|night|sorry|welcome"
    r"|hallo|danke|liebe|lieber|tschüss)"
)


def text_salience(messages: Sequence[MessageWords], isolated_bits: IsolatedBits | None = None) -> list[Salience]:
    """Returns the salience of the words of each message, computed from the text of the page alone.

    Numbers, dates, names, negations and identifiers rank highest, then words that are rare in their language, then
    function words and punctuation. `isolated_bits`: called if no list says how rare the words are; the more bits, the
    rarer. Words without bits are rated by their length and their frequency on the page.
    """
    return score_page(messages, isolated_bits)[0]


def words_with_facts(text: str) -> list[tuple[Word, bool]]:
    """Returns the words of a message, each with whether it is a fact, which never fades by rule. Punctuation is left
    out."""
    words = words_of(text)
    entry = Entry("", "user", text, datetime.min.replace(tzinfo=UTC))
    (salience,) = text_salience([MessageWords(entry, words, np.zeros(len(words)))])
    pairs = zip(words, (salience >= FACT).tolist(), strict=True)
    return [(word, fact) for word, fact in pairs if not is_punctuation(text[word.start : word.stop])]


def score_page(
    messages: Sequence[MessageWords], isolated_bits: IsolatedBits | None = None
) -> tuple[list[Salience], list[Clauses]]:
    """Returns the salience of the words of each message, see `text_salience`, and their clauses, see `clauses_of`."""
    page = _PageText(messages, isolated_bits)
    return [page.salience(message) for message in page.texts], [message.clauses for message in page.texts]


class _PageText:
    """Statistics over the words of a page."""

    def __init__(self, messages: Sequence[MessageWords], isolated_bits: IsolatedBits | None) -> None:
        self.texts = [MessageFeatures(number, message) for number, message in enumerate(messages)]
        words = [word for text in self.texts for word in text.plain if word]
        self.counts = Counter(words)
        #: Word → number of the message and index of the word at its first occurrence.
        self.first_places: dict[str, tuple[int, int]] = {}
        for text in self.texts:
            for i, word in enumerate(text.plain):
                self.first_places.setdefault(word, (text.number, i))
        self.languages = languages_of(words)
        self.function_words = frozenset[str]().union(*(part.function_words for part in self.languages.values()))
        self.negations = frozenset[str]().union(*(part.negations for part in self.languages.values()))
        self.frequencies = frequencies_of(self.languages)
        self.isolated_bits = isolated_bits(self.counts) if isolated_bits and self.frequencies is None else {}
        #: Names that need no capital to be recognised.
        self.known_names = lower_case_names(self.languages)
        for text in self.texts:
            text.divide(rules_for(text.text, list(self.languages)))
        self.speakers = frozenset(name for text in self.texts for name in text.names)
        self.unspaced = next(iter(self.languages), "") in UNSPACED_LANGUAGES
        self.dialogue = Dialogue(self.texts, self.function_words | self.negations)
        inside = [(text, i) for text in self.texts for i in text.inside()]
        capital_nouns = next((language.capital_nouns for language in self.languages.values()), False)
        self.capital_nouns = capital_nouns or _common([text.capital(i) for text, i in inside], *_GRAMMAR)
        self.names = frozenset(text.plain[i] for text, i in inside if text.capital(i))
        self.names -= {text.plain[i] for text, i in inside if not text.capital(i)}

    def salience(self, text: MessageFeatures) -> Salience:
        """Returns the salience of the words of `text`: float64[words]."""
        negated = self._negated(text)
        repeated = text.number in self.dialogue.repeated
        exact = self._exact(text, negated)
        facts = exact | self._phrases(text)
        if repeated:
            facts[np.flatnonzero(facts)[1:]] = False
        explaining = self._explaining(text, facts, negated)
        with_facts = {text.sentence[i] for i in np.flatnonzero(facts).tolist()}
        factors = self._clause_factors(text, facts)
        role = _ROLE_SALIENCE[text.speaker] * (_REPEATED if repeated else 1.0)
        salience = np.zeros(len(text.words))
        for i, word in enumerate(text.plain):
            if facts[i]:
                worth = _FACT_SALIENCE[text.speaker] * (1.0 if exact[i] else _WITHIN_PHRASE)
                salience[i] = FACT + worth * (_REPEATED if self._is_repeated(text, i) else 1.0)
            elif self._is_function_word(text.units[i], word):
                salience[i] = FUNCTION_WORD + 0.5 * role
            elif not text.punctuation[i]:
                share = max(self.rarity(word), _EXPLAINING * explaining[i]) * role
                share *= _FIRST_SENTENCE if text.sentence[i] == 1 else 1.0
                share *= _WITH_FACTS if text.sentence[i] in with_facts else 1.0
                salience[i] = CONTENT + min(_MOST, _SCALE * factors[i] * share)
        return salience

    def _clause_factors(self, text: MessageFeatures, facts: Flags) -> npt.NDArray[np.float64]:
        """Returns float64[words]: factor for the words of each clause, by what is said in it and whether it was said
        before."""
        factors = np.ones(len(text.words))
        if text.rules is None or text.machine:
            return factors
        between_people = self.dialogue.is_between_people(text)
        for (start, stop), asks in zip(text.clause_ranges, text.questions, strict=True):
            begin = text.words[start].start
            end = text.words[stop - 1].stop
            factor = _CLAUSE_WITH_FACTS if facts[start:stop].any() else 1.0
            if asks:
                factor *= _QUESTION
            elif stop - start <= _ASIDE_WORDS and text.rules.aside.match(text.text, begin, end):
                factor *= _ASIDE
            elif text.speaker == "user" and text.rules.statement.search(text.text, begin, end):
                factor *= _STATEMENT
            elif between_people and text.rules.addressed.search(text.text, begin, end):
                factor *= _ADDRESSED
            factors[start:stop] = factor
        return np.where(self.dialogue.echoes(text), _ECHOED * factors, factors)

    def _is_repeated(self, text: MessageFeatures, number: int) -> bool:
        """Returns whether a tool repeats a word that occurs earlier on the page."""
        return text.speaker == "tool" and self.first_places[text.plain[number]] != (text.number, number)

    def _explaining(self, text: MessageFeatures, facts: Flags, negated: Flags) -> Flags:
        """Returns bool[words]: words that say what is counted or negated. They follow a number or a negation, or
        precede a negation in hiragana."""
        parted = (not self.negations.isdisjoint(_PART.split(word)) for word in text.plain)
        negation = np.array([inside or part for inside, part in zip(negated.tolist(), parted, strict=True)], dtype=bool)
        number = facts & np.array([unit.isdigit() for unit in text.units], dtype=bool)
        ending = negated & np.array([_HIRAGANA.fullmatch(unit) is not None for unit in text.units], dtype=bool)
        explaining = np.zeros(len(text.words), dtype=bool)
        explaining[1:] = (number | negation)[:-1]
        explaining[:-1] |= ending[1:]
        return explaining

    def rarity(self, word: str) -> float:
        """Returns the worth of a word by its rarity in its language, in (0, 1)."""
        if self.frequencies is not None:
            rarity = self.frequencies.rarity(word)
            return _RAREST * (1.0 if rarity == 1 else _FREQUENT * rarity**_FREQUENT_POWER)
        bits = self.isolated_bits.get(word)
        if bits is None:
            bits = _BITS_PER_CHARACTER * len(word) - np.log2(self.counts[word] or 1)
        short = 0.2 if len(word) < _SHORT and not is_unspaced(word[:1] or " ") else 1.0
        return float(short * _RAREST / (1 + np.exp((_RARE_BITS - bits) / _SPREAD_BITS)))

    def _is_function_word(self, unit: str, word: str) -> bool:
        if word in self.function_words:
            return True
        if not is_unspaced(unit[:1]):
            return False
        return _HIRAGANA.fullmatch(unit) is not None or all(c in self.function_words for c in unit)

    def _exact(self, text: MessageFeatures, negated: Flags) -> Flags:
        """Returns bool[words]: numbers, dates, names and identifiers, and negations in languages without rules."""
        shouted = self.capital_nouns or _common([text.capital(i) for i in text.inside()], *_SHOUTED)
        facts = np.zeros(len(text.words), dtype=bool)
        for i, (unit, word) in enumerate(zip(text.units, text.plain, strict=True)):
            if text.punctuation[i]:
                continue
            named = text.capital(i) and (not text.first[i] or word in self.names)
            named = named and (word not in self.function_words or text.beside_capital(i))
            is_name = word.removesuffix("'s") in self.known_names
            foreign = self.unspaced and word.isascii() and len(word) > 1 and word.isalpha()
            denied = text.rules is None and (negated[i] or not self.negations.isdisjoint(_PART.split(word)))
            exact = is_exact(unit, word) and (unit[-1:].isdigit() or not _KEY.match(text.text, text.words[i].stop))
            facts[i] = (named and not shouted and not self._greets(text, i)) or is_name or foreign or denied or exact
        return facts

    def _phrases(self, text: MessageFeatures) -> Flags:
        """Returns bool[words]: words that are facts because of the phrase that they belong to."""
        facts = np.zeros(len(text.words), dtype=bool)
        if text.speaker == "tool" or '": ' in text.text:
            facts |= text.overlapping(match.span() for match in PAIR.finditer(text.text))
        if not text.machine:
            marked = MARKED if text.speaker == "tool" else (*MARKED, *SAID)
            facts |= text.overlapping(m.span() for p in marked for m in p.finditer(text.text))
        if text.rules is not None and not text.machine:
            unwrapped = _WRAP.sub(" ", text.text)
            facts |= text.overlapping(match.span() for p in text.rules.facts for match in p.finditer(unwrapped))
            facts |= self._denied(text, text.rules)
        facts |= self.dialogue.facts(text)
        facts[np.flatnonzero(text.punctuation)] = False
        return facts

    def _greets(self, text: MessageFeatures, number: int) -> bool:
        """Returns whether a name only greets or addresses somebody."""
        before = number - 1
        after = number + 1
        if after < len(text.words) and not text.punctuation[after]:
            return False
        if before >= 0 and not text.first[number] and _GREETING.fullmatch(text.plain[before]):
            return True
        word = text.plain[number]
        begins = before < 0 or text.punctuation[before] or text.first[number]
        return begins and len(word) > 2 and any(name.startswith(word) for name in self.speakers)

    def _denied(self, text: MessageFeatures, rules: Rules) -> Flags:
        """Returns bool[words]: negations with what they deny, within their clauses."""
        denied = np.zeros(len(text.words), dtype=bool)
        negations = text.overlapping(match.span() for match in rules.negation.finditer(text.text))
        if not negations.any():
            return denied
        negations &= ~text.overlapping(match.span() for match in rules.rhetorical.finditer(text.text))
        before = _DENIED_BEFORE if rules.denies_before else _SUBJECT
        after = _DENIED_AFTER if rules.denies_after else 0
        for number in np.flatnonzero(negations).tolist():
            clause = text.clauses[number]
            start = max(0, number - before)
            stop = min(len(text.words), number + after + 1)
            denied[start:stop] |= (text.clauses[start:stop] == clause) & (clause >= 0)
            denied[number] = True
        return denied

    def _negated(self, text: MessageFeatures) -> Flags:
        """Returns bool[words]: words that contain a negation."""
        depth = np.zeros(len(text.text) + 1, dtype=np.int64)
        for language in self.languages.values():
            for match in language.negation_within.finditer(text.text) if language.negation_within else ():
                depth[match.start() : match.end()] = 1
        before = np.concatenate([[0], np.cumsum(depth)])
        return np.array([before[stop] > before[start] for start, stop in text.words], dtype=bool)


def _common(capitals: Sequence[bool], share: float, min_words: int) -> bool:
    """Returns whether a share of more than `share` of the words is capitalised, given `min_words` words."""
    return len(capitals) >= min_words and sum(capitals) > share * len(capitals)
