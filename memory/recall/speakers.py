"""Speakers: prefers messages by the people whom a question names.

What a person does, likes or plans is mostly in their own messages. Those of others that address them by name match the
words of such a question better, and answer it less often.
"""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from foxing.memory.index.feedback import IndexReader
from foxing.memory.index.scores import Keys

from .relevance import Values

OTHERS_FACTOR = 0.5  # for the score of a message by someone else; a third finds as much, two thirds less


@dataclass(frozen=True)
class SpeakerPreference:
    """The speakers of a bank that a question names."""

    reader: IndexReader
    #: their terms
    speakers: Set[str]

    @classmethod
    def of(cls, reader: IndexReader, asked: Set[str]) -> "SpeakerPreference | None":
        """Returns the preference of a question, or None if it names no speaker. `asked`: see `asked_speakers`."""
        speakers = reader.known(asked) if asked else set()
        return cls(reader, speakers) if speakers else None

    def factors(self, documents: Keys) -> Values:
        """Returns float64[n], the factor for the score of each passage, at most 1. `documents`: int64[n]."""
        return np.where(self.reader.contain(documents, self.speakers), 1.0, OTHERS_FACTOR)
