"""`foxing codec check --full`: everything about a codec that depends on its weights and its machine, in one report."""

from .checks import ConformanceResult, check_conformance
from .prompts import PromptResult, run_prompts
from .readings import LanguageReading, Readings, measure_readings
from .report import markdown
from .run import AcceptancePlan, FullCheck, full_check
from .samples import LANGUAGES, sample_texts
from .served import ServedResult, compare_served
from .speed import BatchSpeed, measure_batches
from .thresholds import LEAST_CHARACTERS, SILENT_ERRORS, calibrate

__all__ = [
    "LANGUAGES",
    "LEAST_CHARACTERS",
    "SILENT_ERRORS",
    "AcceptancePlan",
    "BatchSpeed",
    "ConformanceResult",
    "FullCheck",
    "LanguageReading",
    "PromptResult",
    "Readings",
    "ServedResult",
    "calibrate",
    "check_conformance",
    "compare_served",
    "full_check",
    "markdown",
    "measure_batches",
    "measure_readings",
    "run_prompts",
    "sample_texts",
]
