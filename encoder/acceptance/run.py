"""The full check of a codec."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from foxing.encoder.bench import PageSet
from foxing.encoder.conformance import CHECKS
from foxing.encoder.contract import Codec
from foxing.encoder.diagnostics import CodecCheck, check_codec
from foxing.encoder.flag_thresholds import FlagThresholds
from foxing.renderer import Progress

from .checks import Check, ConformanceResult, check_conformance
from .prompts import PromptResult, run_prompts
from .readings import LanguageReading, measure_readings
from .served import ServedResult, compare_served
from .speed import BatchSpeed, measure_batches
from .thresholds import calibrate

#: (what is going on) → the function that gets steps done and steps in total.
Stage = Callable[[str], Progress]


@dataclass(frozen=True)
class AcceptancePlan:
    """What is measured."""

    #: Pages by language.
    texts: Mapping[str, PageSet]
    tiers: Sequence[str]
    #: Pages per call.
    batches: Sequence[int]
    #: The same weights decoding here, for a codec that decodes on a server; None if there are none.
    local: Codec | None = None
    #: Why there are none.
    no_local: str | None = None
    #: Checks of the conformance suite.
    conformance: Sequence[Check] = CHECKS


@dataclass(frozen=True)
class FullCheck:
    """Everything that was measured."""

    measured_at: str
    first: CodecCheck
    conformance: Sequence[ConformanceResult]
    readings: Sequence[LanguageReading]
    calibration: FlagThresholds
    prompts: Sequence[PromptResult]
    speed: Sequence[BatchSpeed]
    served: Sequence[ServedResult]
    no_local: str | None

    @property
    def passed(self) -> bool:
        """Whether the sharpest tier reads plain English and every check of the suite passed."""
        return self.first.passed and all(result.failure is None for result in self.conformance)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def full_check(codec: Codec, plan: AcceptancePlan, stage: Stage) -> FullCheck:
    """Runs everything, one part after another. Raises `CodecError` if the codec cannot even read one page."""
    first = check_codec(codec, stage("one page at each tier"))
    conformance = check_conformance(codec, plan.conformance, stage("conformance"))
    readings = measure_readings(codec, plan.texts, list(plan.tiers), stage("languages"))
    calibration = calibrate(codec, readings)
    stage("prompts")
    prompts = run_prompts(codec)
    speed = measure_batches(codec, plan.tiers, plan.batches, stage("speed"))
    served = [] if plan.local is None else compare_served(codec, plan.local)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return FullCheck(now, first, conformance, readings.languages, calibration, prompts, speed, served, plan.no_local)
