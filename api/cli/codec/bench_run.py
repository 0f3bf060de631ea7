"""One run of `codec bench`, and its results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

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
from foxing.encoder.bench.baselines import BaselineRow, load_baselines
from foxing.encoder.bench.plan import StorageRow, compare_with, plan_rows, run_plan, storage_of, warm_up


class NotCompared(TypedDict):
    """A baseline engine that was skipped."""

    engine: str
    reason: str
    #: The group that it cannot read; absent if the engine is not available at all.
    language: NotRequired[str]


@dataclass(frozen=True)
class BaselineComparison:
    """Results of other OCR engines on the same images."""

    rows: Sequence[BaselineRow]
    not_compared: Sequence[NotCompared]


@dataclass(frozen=True)
class BenchOptions:
    """Measurements in addition to clean pages."""

    degraded: bool
    ageing: bool
    characters: bool
    #: Pages of each group that other engines read; None for no comparison.
    baseline_pages: int | None
    #: Device to time the codec on; None for no timing.
    speed_on: str | None


@dataclass(frozen=True)
class BenchResult:
    """Results of one run; parts that were not requested are None."""

    rows: Sequence[BenchRow]
    #: Effect of each storage dtype on the decoder's logits, per tier; None unless the codec's tokens can be quantized.
    storage: Sequence[StorageRow] | None
    characters: Sequence[CharacterRow] | None
    baselines: BaselineComparison | None
    speed: CodecSpeed | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON document of `codec bench --json`."""
        document: dict[str, Any] = {"rows": [row.to_dict() for row in self.rows]}
        if self.storage is not None:
            document["storage"] = self.storage
        if self.characters is not None:
            document["characters"] = [row.to_dict() for row in self.characters]
        if self.baselines is not None:
            document["baselines"] = [row.to_dict() for row in self.baselines.rows]
            document["not_compared"] = self.baselines.not_compared
        if self.speed is not None:
            document["speed"] = self.speed.to_dict()
        return document


def run_bench(
    state: State, codec: Codec, groups: Mapping[str, PageSet], tiers: Sequence[str], options: BenchOptions
) -> BenchResult:
    """Measures `codec` on `groups` (name → pages), with a progress bar for each part. Returns the results. Raises
    `CodecError`."""
    engines = None if options.baseline_pages is None else load_baselines()
    with state.progress("measuring") as progress:
        warm_up(codec, groups, tiers)
        plan = plan_rows(codec, groups, tiers, degraded=options.degraded, ageing=options.ageing)
        rows = run_plan(plan, progress)
    storage = characters = baselines = speed = None
    quantizable = capabilities_of(codec).quantizable
    if quantizable is not None:
        with state.progress("storage") as progress:
            storage = storage_of(quantizable, groups, tiers, progress)
    if options.characters:
        with state.progress("characters") as progress:
            characters = measure_characters(codec, tiers, progress)
    if engines is not None and options.baseline_pages is not None:
        loaded, unavailable = engines
        with state.progress("baselines") as progress:
            compared, skipped = compare_with(loaded, codec, groups, tiers, options.baseline_pages, progress)
        missing = [NotCompared(engine=name, reason=reason) for name, reason in unavailable.items()]
        baselines = BaselineComparison(compared, [*missing, *(NotCompared(**group) for group in skipped)])
    if options.speed_on is not None:
        with state.progress("speed"):
            speed = measure_speed(codec, next(iter(groups.values())), tiers, options.speed_on)
    return BenchResult(rows, storage, characters, baselines, speed)
