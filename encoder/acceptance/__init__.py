"""`foxing codec check --full`: a report of all properties of a codec that depend on its weights and its machine."""

from .readings import Readings
from .report import markdown
from .run import AcceptancePlan, FullCheck, compare_served, full_check
from .samples import LANGUAGES, sample_texts
from .thresholds import calibrate

__all__ = [
    "LANGUAGES",
    "AcceptancePlan",
    "FullCheck",
    "Readings",
    "calibrate",
    "compare_served",
    "full_check",
    "markdown",
    "sample_texts",
]
