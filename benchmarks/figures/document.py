"""Typed access to docs/figures.json."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks.bank import BankRow
from benchmarks.commands import CommandSpeed
from benchmarks.context.__main__ import ContextRow
from benchmarks.decay.measurement import DecayRow
from benchmarks.evidence import CategoryRecall, EvidenceRecall
from benchmarks.rankings import RankedRecall
from benchmarks.recall import RecallSpeed
from benchmarks.relevance.measurement import RelevanceRow, ReliabilityBin
from benchmarks.resume.measurement import BytesRow, ResumeRow
from benchmarks.service import StoreSpeed
from benchmarks.stores.__main__ import StoreRow
from benchmarks.updates.measurement import UpdatesRow
from foxing.encoder.bench import BenchRow, CharacterRow, CodecSpeed, TierSpeed

#: The JSON of one measurement.
Measurement = Mapping[str, Any]
#: Row types of the measurements made by the codec bench and of `decay`.
_ROW_TYPES = {
    "codec": BenchRow,
    "repeated": BenchRow,
    "decay": DecayRow,
    "relevance": RelevanceRow,
    "resume": ResumeRow,
    "stores": StoreRow,
    "updates": UpdatesRow,
}
#: Key of each measurement for its conditions: weights, machine, Python version and day.
MEASURED = "measured"


class Figures:
    """Measurements by name. Each holds its conditions in `measured`, beside its results."""

    def __init__(self, document: Mapping[str, Measurement], names: Iterable[str] = ()) -> None:
        """`names`: the order in which measurements are saved."""
        self._document = dict(document)
        self._names = list(names)

    @classmethod
    def load(cls, path: Path, names: Iterable[str]) -> "Figures":
        """Reads the measurements of `names` that the file holds."""
        document: Mapping[str, Measurement] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        names = list(names)
        return cls({name: document[name] for name in names if MEASURED in document.get(name, {})}, names)

    def save(self, path: Path) -> None:
        """Writes the measurements to `path` as JSON."""
        path.write_text(json.dumps(self._document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def __contains__(self, name: str) -> bool:
        """True if a measurement is stored and not outdated."""
        return name in self._document and not self._is_outdated(name)

    @property
    def outdated(self) -> list[str]:
        """Measurements whose rows do not have the fields of the present row types. They are stored but not read."""
        return [name for name in self._document if self._is_outdated(name)]

    def _is_outdated(self, name: str) -> bool:
        if name not in _ROW_TYPES:
            return False
        expected = {field.name for field in fields(_ROW_TYPES[name])}
        return any(set(row) != expected for row in self._document[name]["rows"])

    def add(self, name: str, measurement: Measurement) -> None:
        """Adds or replaces a measurement."""
        self._document[name] = measurement
        order = [*self._names, *(other for other in self._document if other not in self._names)]
        self._document = {other: self._document[other] for other in order if other in self._document}

    @property
    def conditions(self) -> dict[str, Measurement]:
        """Day, weights and machine, by measurement."""
        return {name: measurement[MEASURED] for name, measurement in self._document.items()}

    @property
    def weights(self) -> dict[str, str]:
        """Digest of the codec's weights, by measurement."""
        return {name: made["weights"] for name, made in self.conditions.items()}

    @property
    def codec(self) -> list[BenchRow]:
        """Accuracy and size of pages, by group and tier."""
        return [BenchRow(**row) for row in self._document["codec"]["rows"]]

    @property
    def context(self) -> list[ContextRow]:
        """Evidence recall of context, by reader and budget."""
        return self._context("context")

    def _context(self, name: str) -> list[ContextRow]:
        names = [field.name for field in fields(ContextRow)]
        return [ContextRow(**{key: row[key] for key in names}) for row in self._rows(name)]

    def _rows(self, name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._document[name]["rows"]
        return rows

    @property
    def repeated(self) -> list[BenchRow]:
        """Accuracy on altered images and after ageing tier by tier."""
        return [BenchRow(**row) for row in self._document["repeated"]["rows"]]

    @property
    def characters(self) -> list[CharacterRow]:
        """Accuracy by kind of character and tier."""
        return [CharacterRow.from_dict(row) for row in self._document["characters"]["rows"]]

    @property
    def codec_speed(self) -> CodecSpeed:
        """Times for loading, drawing, encoding and decoding."""
        speed = self._document["speed"]["speed"]
        return CodecSpeed(speed["load_ms"], tuple(TierSpeed(**row) for row in speed["tiers"]))

    @property
    def bank(self) -> list[BankRow]:
        """Speed and bits per character of banks, by group and tier."""
        return [BankRow(**row) for row in self._document["speed"]["bank"]]

    @property
    def locomo(self) -> list[EvidenceRecall]:
        """Evidence recall on LoCoMo, by tier."""
        return [_evidence(result) for result in self._document["recall"]["locomo"].values()]

    @property
    def locomo_by_words(self) -> EvidenceRecall:
        """Evidence recall on LoCoMo without embeddings."""
        return _evidence(self._document["recall"]["words"])

    @property
    def rankings(self) -> list[RankedRecall]:
        """Rank of the evidence on LoCoMo with embeddings."""
        with_embeddings = next(iter(self._document["recall"]["locomo"].values()))["rankings"]
        return [RankedRecall(**row) for row in with_embeddings]

    @property
    def rankings_by_words(self) -> list[RankedRecall]:
        """Rank of the evidence on LoCoMo without embeddings."""
        return [RankedRecall(**row) for row in self._document["recall"]["words"]["rankings"]]

    @property
    def recall_speed(self) -> RecallSpeed:
        """Latency of recall in a large bank."""
        found = self._document["recall-speed"]
        return RecallSpeed(**{name: value for name, value in found.items() if name != MEASURED})

    @property
    def relevance(self) -> list[RelevanceRow]:
        """Relevance of recall on LoCoMo, by embedder."""
        return [
            RelevanceRow(**{**row, "bins": [ReliabilityBin(**each) for each in row["bins"]]})
            for row in self._rows("relevance")
        ]

    @property
    def updates(self) -> list[UpdatesRow]:
        """Statements that replace each other, by embedder."""
        return [UpdatesRow(**row) for row in self._rows("updates")]

    @property
    def decay(self) -> list[DecayRow]:
        """Answers of Foxing and of ways of forgetting in the same bytes, by source and age."""
        return [DecayRow(**row) for row in self._rows("decay")]

    @property
    def decay_of_packages(self) -> list[DecayRow]:
        """Answers of other memories; empty if they are not installed."""
        return [DecayRow(**row) for row in self._document["decay"]["packages"]]

    @property
    def decay_tiers(self) -> list[DecayRow]:
        """Answers and remains with every page at one tier, by source."""
        return [DecayRow(**row) for row in self._document["decay"]["tiers"]]

    @property
    def resume(self) -> list[ResumeRow]:
        """Interrupted tasks that are resumed, by half, system and age."""
        return [ResumeRow(**row) for row in self._rows("resume")]

    @property
    def resume_bytes(self) -> list[BytesRow]:
        """Bytes of the banks of interrupted tasks."""
        return [BytesRow(**row) for row in self._document["resume"]["bytes"]]

    @property
    def service(self) -> StoreSpeed:
        """Latency of storing over HTTP."""
        return StoreSpeed(**{name: value for name, value in self._document["service"].items() if name != MEASURED})

    @property
    def stores(self) -> list[StoreRow]:
        """Storing and searching, by store."""
        return [StoreRow(**row) for row in self._rows("stores")]

    @property
    def commands(self) -> CommandSpeed:
        """Time and memory of a command."""
        return CommandSpeed(**{name: value for name, value in self._document["commands"].items() if name != MEASURED})


def _evidence(result: Mapping[str, Any]) -> EvidenceRecall:
    """Returns the evidence recall of a result of `benchmarks.recall`, which has more fields."""
    wanted = {field.name for field in fields(EvidenceRecall)}
    found = {name: value for name, value in result.items() if name in wanted}
    categories = {name: CategoryRecall(**row) for name, row in result["categories"].items()}
    return EvidenceRecall(**{**found, "categories": categories})
