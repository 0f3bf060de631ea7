"""How much of the evidence of each dataset each system finds, by category, with its spread."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from benchmarks.command_line import Advance
from benchmarks.datasets.dataset import Dataset
from benchmarks.evidence import found_share
from foxing.memory import Memory
from foxing.memory.index.embedder import Embedder

from .extensions import NotInstalled
from .packages import PACKAGES
from .system import Embeddings, Foxing, StemmedBm25, System

ALL = "all"
RESAMPLES = 2000
SEED = 7


@dataclass(frozen=True)
class FoundEvidence:
    """The evidence that a system finds of the questions of one category."""

    dataset: str
    #: `ALL` for all of them
    category: str
    questions: int
    system: str
    #: Share of the evidence found within the budget, averaged over the questions.
    found: float
    #: 95 % of the means of as many questions drawn again lie between these (bootstrap).
    low: float
    high: float
    #: How much more Foxing finds of the same questions, with the same spread; 0 for itself.
    foxing_ahead: float
    ahead_low: float
    ahead_high: float


@dataclass(frozen=True)
class Systems:
    """What is compared, and what cannot be."""

    systems: Sequence[System]
    #: name → why it is left out
    left_out: dict[str, str]


def open_systems(memory: Memory, tier: str, embedder: Embedder | None) -> Systems:
    """Foxing at `tier` first, then the others. `embedder`: that of all systems; None compares words alone."""
    systems: list[System] = [Foxing(memory, tier), StemmedBm25()]
    if embedder is None:
        return Systems(systems, dict.fromkeys(("embeddings", *PACKAGES), "no embedder"))
    systems.append(Embeddings(embedder))
    left_out: dict[str, str] = {}
    for name, opened in PACKAGES.items():
        try:
            systems.append(opened(embedder))
        except NotInstalled as error:
            left_out[name] = f"not installed ({error}); pip install 'foxing[store-baselines]'"
    return Systems(systems, left_out)


def compare(
    systems: Sequence[System], datasets: Iterable[Callable[[], Dataset]], progress: Advance | None = None
) -> list[FoundEvidence]:
    """Asks every system every question; rows by dataset and category, the first system being Foxing. Raises
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
    """The 2.5 and 97.5 percent points of the means of `values` drawn again."""
    generator = np.random.default_rng(SEED)
    drawn = generator.integers(0, len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
