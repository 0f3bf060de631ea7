"""Background of a bank: how similar its passages are to each other, whatever they are about.

A similarity means little by itself: it depends on the embedder, the language and the kind of conversation. Relevance
uses how many standard deviations a passage is more similar to the question than two passages of the bank usually are.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .codes import MAX_BITS, Codes

SAMPLE = 64  # passages that are compared with each other
#: Number of pairs that the background of the embedder counts as, beside those of the bank.
PRIOR_PAIRS = 64
#: Number of pairs of a bank whose embedder has no background of its own; fewer say too little.
LEAST_PAIRS = 120
LEAST_DEVIATION = 0.02


@dataclass(frozen=True)
class Background:
    """Mean and standard deviation of the cosine of unrelated texts."""

    mean: float
    deviation: float

    def closeness(self, cosines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Returns float64[n], the number of standard deviations of each cosine above the mean."""
        return (cosines - self.mean) / self.deviation


def background_of(codes: Codes, dimensions: int, prior: Background | None) -> Background | None:
    """Returns the background of passages with these codes. `prior`: the background of the embedder, for banks with few
    passages; without it, returns None for them."""
    places = np.unique(np.linspace(0, len(codes) - 1, min(SAMPLE, len(codes))).astype(np.int64))
    bits = min(dimensions, MAX_BITS)
    signs = 2 * np.unpackbits(codes[places], axis=1, count=bits).astype(np.float32) - 1
    pairs = (signs @ signs.T / bits)[np.triu_indices(len(places), 1)]
    if prior is None and len(pairs) < LEAST_PAIRS:
        return None
    mean = 0.0
    deviation = 0.0
    count = len(pairs)
    if count:
        low, middle, high = np.quantile(np.sin(np.pi / 2 * pairs), (0.16, 0.5, 0.84)).tolist()  # of Gaussian vectors
        mean = middle
        deviation = (high - low) / 2
    if prior is not None:
        mean = (count * mean + PRIOR_PAIRS * prior.mean) / (count + PRIOR_PAIRS)
        deviation = (count * deviation + PRIOR_PAIRS * prior.deviation) / (count + PRIOR_PAIRS)
    return Background(mean, max(deviation, LEAST_DEVIATION))
