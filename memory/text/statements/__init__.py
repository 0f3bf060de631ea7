"""Statements: sentences of messages, compared to find those that replace each other.

A statement replaces another if both have the same subject and a different value: “the trip is in June” and “the trip
moved to August”. What stands before the predicate, with its numbers, codes and days, is the subject; what stands after
it is the value; and words that differ in two places say another thing of another thing. A sentence is compared as a
whole and by its parts, of which each may resume the subject of the one before it. Which words announce a change,
end a subject or have one value at a time is data, one TOML file per language. What is said in other words is scored by
a small learned network. Nothing is understood beyond words, so both would rather miss a replacement than invent one.
"""

from .comparison import SentencePairs, Speakers, value_words
from .incidence import Pairs, in_common, incidence, lacking
from .questions import AnswerPairs, Asked
from .sentences import Sentence, sentences
from .tokens import language_of
from .wording import CODES, asks_for_the_past, wording

__all__ = [
    "CODES",
    "AnswerPairs",
    "Asked",
    "Pairs",
    "Sentence",
    "SentencePairs",
    "Speakers",
    "asks_for_the_past",
    "in_common",
    "incidence",
    "lacking",
    "language_of",
    "sentences",
    "value_words",
    "wording",
]
