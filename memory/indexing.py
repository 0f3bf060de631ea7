"""What of a message goes into the index."""

from collections import Counter

import numpy as np

from .remembering import Remembered
from .terms import term_runs, terms


def index_terms(text: str, name: str | None) -> Counter[str]:
    """The words of a message and of its speaker's name."""
    return terms(text) + terms(name or "")


def remembered_terms(message: Remembered, name: str | None) -> Counter[str]:
    """The words of a message that can still be read, those without a flagged character, and its speaker's name."""
    doubtful = np.concatenate([[0], np.cumsum(message.flagged)])
    counts = terms(name or "")
    for term, start, stop in term_runs(message.text):
        if doubtful[stop] == doubtful[start]:
            counts[term] += 1
    return counts
