"""Salience: the worth of each word of a page, computed from the text alone."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from foxing.renderer.scripts import is_unspaced

from .fade import FACT, MessageWords
from .frequencies import frequencies_of
from .languages import AMBIGUOUS_MONTHS, DAYS, MONTHS, languages_of
from .words import is_punctuation

#: Salience of the words of a message: float64[words], at least 0; see `fade` for its meaning.
Salience = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]
#: Messages of a page → the salience of their words.
SalienceScorer = Callable[[Sequence[MessageWords]], list[Salience]]

#: Ranks of words below `FACT`, the integer part of a salience.
PUNCTUATION, FUNCTION_WORD, CONTENT = 0, 1, 2

#: Worth of a frequent word relative to a rare one: maximum, and the power of its rarity with which the worth falls.
_FREQUENT, _FREQUENT_POWER = 0.4, 4
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
_FIRST_SENTENCE, _WITH_FACTS = 1.1, 1.1
#: Minimum worth of a word that says what is counted or negated.
_EXPLAINING = 0.3
#: Factors by role.
_ROLE_SALIENCE = {"user": 1.0, "assistant": 1.0, "tool": 0.6, "system": 0.8}
#: Worth of a fact by role. Facts stated by a user fade after all others.
_FACT_SALIENCE = {"user": 0.9, "assistant": 0.09, "system": 0.09, "tool": 0.009}
#: Beginning of a machine-readable message, such as JSON.
_MACHINE = re.compile(r"\A\s*[{\[]\s*[\"'{\[]")
#: Factor for a fact that a tool repeats.
_REPEATED = 0.4
#: Worth of the rarest words, and the maximum worth of a content word.
_RAREST, _MOST = 0.8, 0.99

_SENTENCE_END = re.compile(r"[.!?…。！？\n]")
_HIRAGANA = re.compile("[\u3041-\u309f]+")
_DAY = re.compile("曜|星期|周[一二三四五六日天]|[월화수목금토일]요일")
#: Abbreviation, whose full stop does not end the sentence.
_ABBREVIATION = re.compile(r"(?<!\w)(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|vs|ca|bzw|z\.B|e\.g|i\.e)$")
_ABBREVIATED = 6
_PART = re.compile("[-/]")
#: Follows the key of a JSON object, which is not a fact itself.
_KEY = re.compile(r"[\"'] ?:")
_TRIMMED = re.compile(r"^[\W_]+|[\W_]+$")
_FLAG = re.compile("-[A-Za-z]")
_IDENTIFIER = re.compile(
    r"://|[@_\\]|\w\.(?<![a-z]\.(?=[A-Z]))\w\w|[a-z][A-Z]|\w[-/][A-Z]|^[~.]*/|/.*[/.]|^--\w|^\$[A-Za-z_]|^#\w|="
)


def text_salience(messages: Sequence[MessageWords], isolated_bits: Mapping[str, float] | None = None) -> list[Salience]:
    """Returns the salience of the words of each message, computed from the text of the page alone.

    Numbers, dates, names, negations and identifiers rank highest, then words that are rare in their language, then
    function words and punctuation. `isolated_bits`: normalised word (see `plain`) → its cost in bits without context,
    a measure of its rarity; words that it lacks are rated by their length and their frequency on the page.
    """
    page = _PageText(messages, isolated_bits or {})
    return [page.salience(message) for message in page.texts]


def plain(word: str) -> str:
    """Returns a word normalised: in lower case, with ' as the apostrophe, without symbols around it."""
    return _TRIMMED.sub("", word).lower().replace("’", "'")


class _MessageText:
    """Words of a message with their features."""

    def __init__(self, number: int, message: MessageWords) -> None:
        text = message.entry.content
        self.number = number
        self.text, self.words = text, message.words
        role = "tool" if _MACHINE.match(text) else message.entry.role
        #: Role by which the words are rated.
        self.speaker = role if role in _ROLE_SALIENCE else "user" if role != "developer" else "system"
        self.units = [text[word.start : word.stop] for word in message.words]
        self.plain = [plain(unit) for unit in self.units]
        self.punctuation = [is_punctuation(unit) for unit in self.units]
        #: Number of the sentence of each word, and whether the word is the first of its sentence.
        self.sentence, self.first = self._sentences()

    def _sentences(self) -> tuple[list[int], list[bool]]:
        number, begins, stop = 0, True, 0
        sentences, first = [], []
        for word, mark in zip(self.words, self.punctuation, strict=True):
            begins = begins or "\n" in self.text[stop : word.start]
            ends = mark and _SENTENCE_END.search(self.text, word.start, word.stop) is not None
            ends = ends and _ABBREVIATION.search(self.text, max(0, stop - _ABBREVIATED), stop) is None
            number += begins and not mark
            sentences.append(number)
            first.append(begins and not mark)
            begins, stop = ends or (begins and mark), word.stop
        return sentences, first

    def inside(self) -> list[int]:
        """Returns the indices of the words that do not begin a sentence."""
        return [i for i, first in enumerate(self.first) if not first and not self.punctuation[i]]

    def capital(self, number: int) -> bool:
        """Returns whether a word is capitalised, other than "I"."""
        letters = self.units[number].lstrip("\"'([{@#-+")
        return letters[:1].isupper() and self.plain[number].partition("'")[0] != "i"

    def beside_capital(self, number: int) -> bool:
        """Returns whether an adjacent word is capitalised, as in a title."""
        beside = (number - 1, number + 1)
        return any(0 <= i < len(self.words) and not self.punctuation[i] and self.capital(i) for i in beside)


class _PageText:
    """Statistics over the words of a page."""

    def __init__(self, messages: Sequence[MessageWords], isolated_bits: Mapping[str, float]) -> None:
        self.texts = [_MessageText(number, message) for number, message in enumerate(messages)]
        self.isolated_bits = isolated_bits
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
        self.unspaced = next(iter(self.languages), "") in ("ko", "ja", "zh")
        inside = [(text, i) for text in self.texts for i in text.inside()]
        capital_nouns = next((language.capital_nouns for language in self.languages.values()), False)
        self.capital_nouns = capital_nouns or _common([text.capital(i) for text, i in inside], *_GRAMMAR)
        self.names = frozenset(text.plain[i] for text, i in inside if text.capital(i))
        self.names -= {text.plain[i] for text, i in inside if not text.capital(i)}

    def salience(self, text: _MessageText) -> Salience:
        """Returns the salience of the words of `text`: float64[words]."""
        negated = self._negated(text)
        facts = self._facts(text, negated)
        explaining = self._explaining(text, facts, negated)
        with_facts = {text.sentence[i] for i in np.flatnonzero(facts).tolist()}
        role = _ROLE_SALIENCE[text.speaker]
        salience = np.zeros(len(text.words))
        for i, word in enumerate(text.plain):
            if facts[i]:
                salience[i] = FACT + _FACT_SALIENCE[text.speaker] * (_REPEATED if self._is_repeated(text, i) else 1.0)
            elif self._is_function_word(text.units[i], word):
                salience[i] = FUNCTION_WORD + 0.5 * role
            elif not text.punctuation[i]:
                share = max(self.rarity(word), _EXPLAINING * explaining[i]) * role
                share *= _FIRST_SENTENCE if text.sentence[i] == 1 else 1.0
                share *= _WITH_FACTS if text.sentence[i] in with_facts else 1.0
                salience[i] = CONTENT + min(_MOST, share)
        return salience

    def _is_repeated(self, text: _MessageText, number: int) -> bool:
        """Returns whether a tool repeats a word that occurs earlier on the page."""
        return text.speaker == "tool" and self.first_places[text.plain[number]] != (text.number, number)

    def _explaining(self, text: _MessageText, facts: _Flags, negated: _Flags) -> _Flags:
        """Returns bool[words]: words that say what is counted or negated. They follow a number or a negation, or
        precede a negation in hiragana."""
        parted = (not self.negations.isdisjoint(_PART.split(word)) for word in text.plain)
        negation = np.array([within or part for within, part in zip(negated.tolist(), parted, strict=True)], dtype=bool)
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

    def _facts(self, text: _MessageText, negated: _Flags) -> _Flags:
        """Returns bool[words]: numbers, dates, names, negations and identifiers."""
        shouted = self.capital_nouns or _common([text.capital(i) for i in text.inside()], *_SHOUTED)
        facts = np.zeros(len(text.words), dtype=bool)
        for i, (unit, word) in enumerate(zip(text.units, text.plain, strict=True)):
            if text.punctuation[i]:
                continue
            named = text.capital(i) and (not text.first[i] or word in self.names)
            named = named and (word not in self.function_words or text.beside_capital(i))
            foreign = self.unspaced and word.isascii() and len(word) > 1 and word.isalpha()
            denied = negated[i] or not self.negations.isdisjoint(_PART.split(word))
            exact = _is_exact(unit, word) and not _KEY.match(text.text, text.words[i].stop)
            facts[i] = (named and not shouted) or foreign or denied or exact
        return facts

    def _negated(self, text: _MessageText) -> _Flags:
        """Returns bool[words]: words that contain a negation."""
        within = np.zeros(len(text.text) + 1, dtype=np.int64)
        for language in self.languages.values():
            for match in language.negation_within.finditer(text.text) if language.negation_within else ():
                within[match.start() : match.end()] = 1
        before = np.concatenate([[0], np.cumsum(within)])
        return np.array([before[stop] > before[start] for start, stop in text.words], dtype=bool)


def _is_exact(unit: str, word: str) -> bool:
    """Returns whether a word is a number, a date or an identifier."""
    if any(character.isdigit() for character in unit) or word in DAYS or _DAY.search(unit):
        return True
    if word in MONTHS:
        return word not in AMBIGUOUS_MONTHS or unit[0].isupper()
    return _FLAG.fullmatch(unit) is not None or (len(word) > 2 and _IDENTIFIER.search(unit) is not None)


def _common(capitals: Sequence[bool], share: float, least: int) -> bool:
    """Returns whether a share of more than `share` of the words is capitalised, given at least `least` words."""
    return len(capitals) >= least and sum(capitals) > share * len(capitals)
