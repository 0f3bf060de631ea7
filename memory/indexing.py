"""What of a remembered message goes into the index."""

from collections import Counter

import numpy as np

from .remembering import Remembered
from .terms import term_runs


def remembered_terms(message: Remembered) -> Counter[str]:
    """The words of a message that can still be read: those without a flagged character."""
    doubtful = np.concatenate([[0], np.cumsum(message.flagged)])
    counts: Counter[str] = Counter()
    for term, start, stop in term_runs(message.text):
        if doubtful[stop] == doubtful[start]:
            counts[term] += 1
    return counts
