"""The same tokens decoded on a server and here."""

from dataclasses import dataclass
from time import perf_counter

from foxing.encoder.bench import accuracy
from foxing.encoder.conformance import sample_page
from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.renderer import render


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
