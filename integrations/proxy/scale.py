"""Scale of our token counts to those of each model, learned from the usage that its answers report."""

import threading

from cachetools import LRUCache

#: Models of which a scale is remembered.
_MODELS = 100
#: Weight of the latest answer, once there are a few.
_WEIGHT = 0.2
#: What an answer says counts between these: an upstream may report anything.
_LEAST, _MOST = 0.5, 2.0
#: Smallest request that says something: the frames of a short one are most of it.
_LEAST_TOKENS = 2_000


class TokenScale:
    """Tokens that a provider bills for each that is counted here. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: Model → scale, and number of answers.
        self._scales: LRUCache[str, tuple[float, int]] = LRUCache(_MODELS)

    def of(self, model: str) -> float:
        """Returns the scale of a model; 1 before it has answered."""
        with self._lock:
            return self._scales.get(model, (1.0, 0))[0]

    def learn(self, model: str, counted: float, billed: int) -> None:
        """Notes an answer. `counted`: tokens of its request as they are counted here; `billed`: as the answer says."""
        if min(counted, billed) < _LEAST_TOKENS:
            return
        measured = min(max(billed / counted, _LEAST), _MOST)
        with self._lock:
            scale, number = self._scales.get(model, (1.0, 0))
            weight = max(_WEIGHT, 1 / (number + 1))
            self._scales[model] = scale + weight * (measured - scale), number + 1

    def report(self) -> dict[str, float]:
        """Returns model → scale."""
        with self._lock:
            return {model: round(scale, 3) for model, (scale, _) in self._scales.items()}
