"""Full check of a codec."""

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
SUBJECT = "the harbour"  # occurs on the sample page
#: Name of a stage → its progress callback.
Stage = Callable[[str], Progress]


@dataclass(frozen=True)
class ConformanceResult:
    """Result of one check of `foxing.encoder.conformance`."""

    check: str
    #: Reason for the failure; None if it passed.
    failure: str | None


def check_conformance(codec: Codec, checks: Sequence[Check], progress: Progress) -> list[ConformanceResult]:
    """Runs `checks` of `foxing.encoder.conformance`, and returns their results. Failures are recorded, not raised."""
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
    """Answer to one prompt about the sample page."""

    prompt: str
    tier: str
    #: Length of the answer.
    characters: int
    seconds: float
    #: First `SHOWN_CHARACTERS` of the answer, or the error.
    text: str


def run_prompts(codec: Codec) -> list[PromptResult]:
    """Returns the answer to each prompt at the sharpest tier; empty for a codec without prompts."""
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
    """Comparison of served and local decoding of one page at one tier."""

    tier: str
    #: 1 − Levenshtein distance / longer length between the two texts.
    agreement: float
    #: Time of decoding on the server, in seconds.
    served_s: float
    #: Time of decoding locally, in seconds.
    local_s: float
    #: Error message if decoding failed.
    failure: str | None = None


def compare_served(served: Codec, local: Codec) -> list[ServedResult]:
    """Compares the sample page at each tier, encoded once and decoded by both codecs."""
    page, results = sample_page(served), []
    for tier in served.tiers:
        tokens = served.encode([render(page.cells, page.layout, tier)], tier)
        try:
            begun = perf_counter()
            served_reading = served.decode(tokens)[0]
            between = perf_counter()
            local_reading = local.decode(tokens)[0]
            ended = perf_counter()
        except CodecError as error:
            results.append(ServedResult(tier, 0.0, 0.0, 0.0, str(error)))
            continue
        agreement = accuracy(local_reading.text, served_reading.text)
        results.append(ServedResult(tier, agreement, between - begun, ended - between))
    return results


@dataclass(frozen=True)
class AcceptancePlan:
    """Plan of a full check."""

    #: Pages by language.
    texts: Mapping[str, PageSet]
    tiers: Sequence[str]
    #: Batch sizes in pages per call.
    batches: Sequence[int]
    #: For a codec that decodes on a server, a local codec with the same weights; None if there is none.
    local: Codec | None = None
    #: Reason why `local` is None.
    no_local: str | None = None
    #: Checks of the conformance suite.
    conformance: Sequence[Check] = CHECKS


@dataclass(frozen=True)
class FullCheck:
    """Results of a full check."""

    #: Time of the check, RFC 3339 in UTC.
    measured_at: str
    #: Functional check at each tier.
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
        """True if plain English is read at the sharpest tier and every conformance check passed."""
        return self.first.passed and all(result.failure is None for result in self.conformance)

    def to_dict(self) -> dict[str, Any]:
        """Returns the results as a JSON object."""
        return {**asdict(self), "passed": self.passed}


def full_check(codec: Codec, plan: AcceptancePlan, stage: Stage) -> FullCheck:
    """Runs all stages in order. Raises `CodecError` if the codec cannot decode a single page."""
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
