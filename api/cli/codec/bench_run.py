"""One run of `codec bench`, and its results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foxing.api.cli.context import State
from foxing.encoder import Codec, capabilities_of
from foxing.encoder.bench import (
    BenchRow,
    CharacterRow,
    CodecSpeed,
    PageSet,
    measure_characters,
    measure_speed,
)
from foxing.encoder.bench.baselines import Baseline, BaselineRow, load_baselines
from foxing.encoder.bench.plan import compare_with, plan_rows, run_plan, storage_of, warm_up
from foxing.encoder.bench.plot import plot_classes, plot_curve


@dataclass(frozen=True)
class BaselineEngines:
    """The OCR engines to compare with."""

    loaded: Sequence[Baseline]
    #: Why an engine is not available, by its name.
    unavailable: Mapping[str, str]


@dataclass(frozen=True)
class NotCompared:
    """An engine that was not compared with."""

    engine: str
    why: str
    #: The group that it cannot read; None if the engine is not available at all.
    language: str | None = None

    def to_dict(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class BaselineComparison:
    """Results of other OCR engines on the same images."""

    rows: Sequence[BaselineRow]
    not_compared: Sequence[NotCompared]


@dataclass
class BenchResult:
    """Everything one run measured; None for what was not requested."""

    rows: Sequence[BenchRow]
    #: Effect of each storage dtype on the decoder's logits, per tier; None unless the codec's tokens can be quantized.
    storage: Sequence[Mapping[str, Any]] | None = None
    characters: Sequence[CharacterRow] | None = None
    baselines: BaselineComparison | None = None
    speed: CodecSpeed | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `codec bench --json`."""
        document: dict[str, Any] = {"rows": [row.to_dict() for row in self.rows]}
        if self.storage is not None:
            document["storage"] = [dict(row) for row in self.storage]
        if self.characters is not None:
            document["characters"] = [row.to_dict() for row in self.characters]
        if self.baselines is not None:
            document["rivals"] = [row.to_dict() for row in self.baselines.rows]
            document["not_compared"] = [item.to_dict() for item in self.baselines.not_compared]
        if self.speed is not None:
            document["speed"] = self.speed.to_dict()
        return document

    def plot(self, paths: Sequence[Path]) -> None:
        """Plots the share of characters read right against bytes per page to each of `paths`."""
        for path in paths:
            plot_curve(self.rows, path, () if self.baselines is None else self.baselines.rows)

    def plot_classes(self, paths: Sequence[Path]) -> None:
        """Plots the share of the words of each class that are read right to each of `paths`."""
        for path in paths:
            plot_classes(self.rows, path)


@dataclass(frozen=True)
class BenchRun:
    """Measures one codec. Methods show a progress bar and raise `CodecError`."""

    state: State
    codec: Codec
    #: Pages to measure, by name of their group.
    groups: Mapping[str, PageSet]
    tiers: Sequence[str]

    def measure(self, *, degraded: bool, ageing: bool) -> BenchResult:
        """What is kept, accuracy, size and calibration per group and tier."""
        with self.state.progress("measuring") as progress:
            warm_up(self.codec, self.groups, self.tiers)
            plan = plan_rows(self.codec, self.groups, self.tiers, degraded=degraded, ageing=ageing)
            result = BenchResult(run_plan(plan, progress))
        quantizable = capabilities_of(self.codec).quantizable
        if quantizable is not None:
            with self.state.progress("storage") as progress:
                result.storage = storage_of(quantizable, self.groups, self.tiers, progress)
        return result

    def measure_characters(self) -> Sequence[CharacterRow]:
        """Accuracy per kind of character and tier."""
        with self.state.progress("characters") as progress:
            return measure_characters(self.codec, self.tiers, progress)

    def load_baselines(self) -> BaselineEngines:
        """The engines that are installed, and why the others are not available."""
        return BaselineEngines(*load_baselines())

    def compare(self, engines: BaselineEngines, pages: int) -> BaselineComparison:
        """Results of `engines` on the first `pages` pages of each group."""
        with self.state.progress("baselines") as progress:
            rows, skipped = compare_with(engines.loaded, self.codec, self.groups, self.tiers, pages, progress)
        unavailable = [NotCompared(name, why) for name, why in engines.unavailable.items()]
        unreadable = [NotCompared(item["engine"], item["why"], item["language"]) for item in skipped]
        return BaselineComparison(rows, [*unavailable, *unreadable])

    def measure_speed(self, device: str) -> CodecSpeed:
        """Times of loading, drawing, encoding and decoding on the pages of the first group."""
        with self.state.progress("speed") as progress:
            speed = measure_speed(self.codec, next(iter(self.groups.values())), self.tiers, device)
            progress(1, 1)
        return speed
