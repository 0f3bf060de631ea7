"""Evidence recall of each system on each dataset, by category, with confidence intervals."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Generic, TypeVar

import numpy as np

from benchmarks.command_line import Advance
from benchmarks.datasets.dataset import Dataset
from benchmarks.evidence import found_share
from foxing.memory import Memory
from foxing.memory.index.embedder import Embedder

from .extensions import NotInstalled
from .packages import PACKAGES
from .system import EMBEDDINGS, Embeddings, Foxing, Ranking, StemmedBm25, System

ALL = "all"
RESAMPLES = 2000
SEED = 7
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class FoundEvidence:
    """Evidence recall of one system on the questions of one category."""

    dataset: str
    #: `ALL` for all categories
    category: str
    questions: int
    system: str
    #: Evidence recall within the budget, averaged over the questions.
    found: float
    #: 95 % confidence interval of the mean (bootstrap over the questions).
    low: float
    high: float
    #: Foxing's evidence recall minus the system's on the same questions, with the same interval; 0 for Foxing.
    foxing_ahead: float
    ahead_low: float
    ahead_high: float


@dataclass(frozen=True)
class Systems(Generic[Kind]):
    """Systems to compare, and those that are not available."""

    systems: Sequence[Kind]
    #: name → reason
    left_out: dict[str, str]


def open_systems(memory: Memory, tier: str, embedder: Embedder | None) -> Systems[System]:
    """Opens Foxing at `tier` first, then the baselines. `embedder`: used by all systems; None for lexical search
    alone."""
    rankings = open_rankings(embedder)
    return Systems([Foxing(memory, tier), *rankings.systems], rankings.left_out)


def open_rankings(embedder: Embedder | None, packages: Collection[str] = PACKAGES) -> Systems[Ranking]:
    """Opens the baselines: BM25, the embedder alone, and other packages, those of the names `packages`."""
    systems: list[Ranking] = [StemmedBm25()]
    if embedder is None:
        return Systems(systems, dict.fromkeys((EMBEDDINGS, *packages), "no embedder"))
    systems.append(Embeddings(embedder))
    left_out: dict[str, str] = {}
    for name in packages:
        try:
            systems.append(PACKAGES[name](embedder))
        except NotInstalled as error:
            left_out[name] = f"not installed ({error}); pip install 'foxing[store-baselines]'"
    return Systems(systems, left_out)


def compare(
    systems: Sequence[System], datasets: Iterable[Callable[[], Dataset]], progress: Advance | None = None
) -> list[FoundEvidence]:
    """Asks every system every question. Returns rows by dataset and category. The first system must be Foxing. Raises
    `InvalidInput` for a dataset that cannot be read."""
    return [row for read in datasets for row in _compare(systems, read(), progress)]


def _compare(systems: Sequence[System], dataset: Dataset, progress: Advance | None) -> list[FoundEvidence]:
    names: list[str] = []
    shares: dict[str, list[float]] = {system.name: [] for system in systems}
    for number, conversation in enumerate(dataset.conversations):
        originals = {str(message.id): message.text for message in conversation.messages}
        asked = [question for question in conversation.questions if question.category in dataset.categories]
        names += [dataset.categories[question.category] for question in asked]
        for system in systems if asked else ():
            system.store(conversation.messages)
            shares[system.name] += [found_share(each, originals, system.answer(each.text)) for each in asked]
        if progress is not None:
            progress(number + 1, len(dataset.conversations))
    rows = []
    for category in (*dict.fromkeys(names), ALL):
        places = [place for place, name in enumerate(names) if category in (name, ALL)]
        ours = np.array([shares[systems[0].name][place] for place in places])
        for system in systems if places else ():
            theirs = np.array([shares[system.name][place] for place in places])
            rows.append(
                FoundEvidence(
                    dataset.name,
                    category,
                    len(places),
                    system.name,
                    fmean(theirs),
                    *_spread(theirs),
                    fmean(ours - theirs),
                    *_spread(ours - theirs),
                )
            )
    return rows


def _spread(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    """2.5 % and 97.5 % quantiles of the means of bootstrap samples."""
    generator = np.random.default_rng(SEED)
    drawn = generator.integers(0, len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
