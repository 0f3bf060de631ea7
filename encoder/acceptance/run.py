"""The full check of a codec."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from foxing.encoder.bench import PageSet, accuracy
from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.conformance import CHECKS, sample_page
from foxing.encoder.contract import Codec
from foxing.encoder.diagnostics import CodecCheck, check_codec
from foxing.encoder.errors import CodecError
from foxing.encoder.flag_thresholds import FlagThresholds
from foxing.renderer import Progress, render
from foxing.renderer.clock import utc_now

from .readings import LanguageReading, measure_readings
from .speed import BatchSpeed, measure_batches
from .thresholds import calibrate

Check = Callable[[Codec], None]
SHOWN_CHARACTERS = 400
SUBJECT = "the harbour"  # which stands on the sample page
#: (what is going on) → the function that gets steps done and steps in total.
Stage = Callable[[str], Progress]


@dataclass(frozen=True)
class ConformanceResult:
    """One check of `foxing.encoder.conformance`."""

    check: str
    #: Why it failed; None if it passed.
    failure: str | None


def check_conformance(codec: Codec, checks: Sequence[Check], progress: Progress) -> list[ConformanceResult]:
    """The result of each of `checks`, those of `foxing.encoder.conformance`. No failure is raised."""
    results: list[ConformanceResult] = []
    for check in checks:
        try:
            check(codec)
            failure = None
        except (AssertionError, CodecError) as error:
            failure = str(error) or type(error).__name__
        results.append(ConformanceResult(check.__name__, failure))
        progress(len(results), len(checks))
    return results


@dataclass(frozen=True)
class PromptResult:
    """The answer to one prompt about the sample page."""

    prompt: str
    tier: str
    characters: int
    seconds: float
    #: The beginning of it, or why there is none.
    text: str


def run_prompts(codec: Codec) -> list[PromptResult]:
    """The answer to every prompt at the sharpest tier; none for a codec without prompts."""
    promptable = capabilities_of(codec).promptable
    if promptable is None:
        return []
    page, tier = sample_page(codec), next(iter(codec.tiers))
    tokens = codec.encode([render(page.cells, page.layout, tier)], tier)
    results = []
    for prompt in promptable.prompts:
        begun = perf_counter()
        try:
            (text,) = promptable.write(tokens, prompt, SUBJECT)
        except CodecError as error:
            text = f"failed: {error}"
        seconds = perf_counter() - begun
        results.append(PromptResult(prompt, tier, len(text), seconds, text[:SHOWN_CHARACTERS]))
    return results


@dataclass(frozen=True)
class ServedResult:
    """One page at one tier. `agreement`: 1 − Levenshtein distance / longer length between the two texts."""

    tier: str
    agreement: float
    served_s: float
    local_s: float
    #: Why there is no figure.
    failure: str | None = None


def compare_served(served: Codec, local: Codec) -> list[ServedResult]:
    """The sample page at each tier, encoded once and decoded by both."""
    page, results = sample_page(served), []
    for tier in served.tiers:
        tokens = served.encode([render(page.cells, page.layout, tier)], tier)
        try:
            begun = perf_counter()
            there = served.decode(tokens)[0]
            between = perf_counter()
            here = local.decode(tokens)[0]
            ended = perf_counter()
        except CodecError as error:
            results.append(ServedResult(tier, 0.0, 0.0, 0.0, str(error)))
            continue
        agreement = accuracy(here.text, there.text)
        results.append(ServedResult(tier, agreement, between - begun, ended - between))
    return results


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
    now = utc_now().isoformat(timespec="seconds")
    return FullCheck(now, first, conformance, readings.languages, calibration, prompts, speed, served, plan.no_local)
