"""Fits the relevance of recall and writes memory/recall/relevance.json.

python -m training.relevance --data shared/data/train
"""

import argparse
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import DEFAULT_EMBEDDER, NONE
from foxing.memory.recall.candidates import FIRST, RankedCandidates, find_candidates
from foxing.memory.recall.query import ask
from foxing.memory.recall.relevance import FILE
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import messages
from foxing.memory.text.passages import message_of
from foxing.memory.values.recall import RecallQuery

from .questions import SOURCES, Bank, make_banks

#: Name in the file → embedder.
EMBEDDERS = {"words": NONE, "words and meaning": DEFAULT_EMBEDDER}
RIDGE = 1e-3  # of standardized signals, per example
STEPS = 40
NOW = datetime(2024, 1, 1, tzinfo=UTC)

Values = npt.NDArray[np.float64]


@dataclass
class Examples:
    """Signals with the outcome to predict."""

    signals: list[Values] = field(default_factory=list)
    outcomes: list[bool] = field(default_factory=list)


@dataclass
class Collected:
    """Examples of whether a bank answers a question, and of whether a match is part of the answer."""

    answered: Examples = field(default_factory=Examples)
    part: Examples = field(default_factory=Examples)


def collect(folder: Path, banks: Iterable[Bank], embedder: str) -> Collected:
    """Asks every question in its bank. `folder`: place of the database."""
    result = Collected()
    path, options = folder / "banks.db", MemoryOptions(embedder=embedder)
    with Memory(path, options=options) as memory:
        for bank in banks:
            memory.store(bank.name, bank.messages)
    search = options.search()
    with Database(path) as database:
        for bank in banks:
            for asked in bank.questions:
                question = ask(search.vectors, RecallQuery(query=asked.text), NOW)
                with database.read() as connection:
                    found = find_candidates(connection, search, bank.name, question)
                    if not isinstance(found, RankedCandidates):
                        continue
                    signals = found.signals(0, FIRST)
                    ids = message_of(signals.documents).tolist()
                    known = messages.by_ids(connection, found.bank_id, set(ids))
                result.answered.signals.append(signals.question)
                result.answered.outcomes.append(bool(asked.evidence))
                if asked.evidence:
                    result.part.signals += list(signals.matches)
                    result.part.outcomes += [known[message_id].key in asked.evidence for message_id in ids]
    return result


def fit(examples: Examples, *, balanced: bool) -> dict[str, Any]:
    """Returns the coefficients of a logistic regression. `balanced`: both outcomes have the same total weight."""
    signals, outcomes = np.array(examples.signals), np.array(examples.outcomes, dtype=np.float64)
    mean, deviation = signals.mean(axis=0), signals.std(axis=0) + 1e-9
    design = np.column_stack([np.ones(len(signals)), (signals - mean) / deviation])
    weights = np.ones(len(signals))
    if balanced:
        share = outcomes.mean()
        weights = np.where(outcomes > 0, 0.5 / share, 0.5 / (1 - share))
    ridge = RIDGE * len(signals) * np.diag([0.0, *np.ones(signals.shape[1])])
    found = np.zeros(design.shape[1])
    for _ in range(STEPS):  # Newton
        probable = 1 / (1 + np.exp(-design @ found))
        gradient = design.T @ (weights * (outcomes - probable)) - ridge @ found
        curvature = (design * (weights * probable * (1 - probable))[:, None]).T @ design + ridge
        found = found + np.linalg.solve(curvature, gradient)
    slopes = found[1:] / deviation
    return {
        "intercept": round(float(found[0] - slopes @ mean), 4),
        "weights": [round(float(slope), 4) for slope in slopes],
        "examples": len(signals),
        "positive": int(outcomes.sum()),
    }


def fit_all(data: Path) -> Mapping[str, Any]:
    """Returns the content of the file, fitted on the questions made from the files in `data`."""
    banks = make_banks(data)
    document: dict[str, Any] = {
        "made_by": "python -m training.relevance --data shared/data/train",
        "sources": [source.name for source in SOURCES],
    }
    for name, embedder in EMBEDDERS.items():
        with tempfile.TemporaryDirectory(prefix="foxing-relevance-") as folder:
            collected = collect(Path(folder), banks, embedder)
        document[name] = {
            "answered": fit(collected.answered, balanced=True),
            "part": fit(collected.part, balanced=False),
        }
    return document


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m training.relevance",
        description="Fit the probability that a match of recall belongs to an answer, on questions made by rule from "
        "dialogues, and write the coefficients into the package.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="Folder of JSON Lines of dialogues.")
    parser.add_argument(
        "--out", type=Path, default=FILE, metavar="FILE", help="File to write (default: the package's)."
    )
    options = parser.parse_args(arguments)
    document = fit_all(options.data)
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
