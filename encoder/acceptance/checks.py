"""The conformance suite, each check by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.renderer import Progress

Check = Callable[[Codec], None]


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
