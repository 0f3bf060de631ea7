"""One run of `codec bench`, and its results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from foxing.api.cli.context import State
from foxing.encoder import Codec
from foxing.encoder.bench import (
    BenchRow,
    CharacterRow,
    CodecSpeed,
    PageSet,
    measure_characters,
    measure_speed,
    measure_thresholds,
)
from foxing.encoder.bench.plan import plan_rows, run_plan, warm_up
from foxing.encoder.flag_thresholds import FlagThresholds


@dataclass(frozen=True)
class BenchOptions:
    """Measurements in addition to clean pages."""

    degraded: bool
    ageing: bool
    characters: bool
    #: Device to time the codec on; None for no timing.
    speed_on: str | None
    #: Whether to choose thresholds of flags.
    calibration: bool


@dataclass(frozen=True)
class BenchResult:
    """Results of one run; parts that were not requested are None."""

    rows: Sequence[BenchRow]
    characters: Sequence[CharacterRow] | None
    speed: CodecSpeed | None
    calibration: FlagThresholds | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON document of `codec bench --json`."""
        document: dict[str, Any] = {"rows": [row.to_dict() for row in self.rows]}
        if self.characters is not None:
            document["characters"] = [row.to_dict() for row in self.characters]
        if self.speed is not None:
            document["speed"] = self.speed.to_dict()
        if self.calibration is not None:
            document["calibration"] = asdict(self.calibration)
        return document


def run_bench(
    state: State, codec: Codec, groups: Mapping[str, PageSet], tiers: Sequence[str], options: BenchOptions
) -> BenchResult:
    """Measures `codec` on `groups` (name → pages), with a progress bar for each part. Returns the results. Raises
    `CodecError`."""
    with state.progress("measuring") as progress:
        warm_up(codec, groups, tiers)
        plan = plan_rows(codec, groups, tiers, degraded=options.degraded, ageing=options.ageing)
        rows = run_plan(plan, progress)
    characters = speed = calibration = None
    if options.characters:
        with state.progress("characters") as progress:
            characters = measure_characters(codec, tiers, progress)
    if options.speed_on is not None:
        with state.progress("speed"):
            speed = measure_speed(codec, next(iter(groups.values())), tiers, options.speed_on)
    if options.calibration:
        with state.progress("thresholds") as progress:
            calibration = measure_thresholds(codec, groups, tiers, progress)
    return BenchResult(rows, characters, speed, calibration)
