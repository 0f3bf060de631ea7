"""Plan of `foxing codec bench`: its measurements in the order in which they run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from foxing.encoder.contract import Codec
from foxing.renderer import Progress

from .corpus import PageSet, first_pages
from .drawing import CONDITIONS
from .measurement import AGEING_TIERS, CONDITIONS_TIER, measure, measure_ageing
from .rows import BenchRow


@dataclass(frozen=True)
class BenchStep:
    """Measurement to run."""

    #: Number of rows that `run` yields.
    rows: int
    run: Callable[[], Iterator[BenchRow]]


def plan_rows(
    codec: Codec, groups: Mapping[str, PageSet], tiers: Sequence[str], *, degraded: bool, ageing: bool
) -> list[BenchStep]:
    """Returns the measurements that yield rows: each group at each tier, then degraded images and repeated ageing if
    requested."""

    def one(texts: PageSet, tier: str, name: str, condition: str = "clean") -> Iterator[BenchRow]:
        yield measure(codec, texts, tier, name, condition)

    plan = [BenchStep(1, partial(one, texts, tier, name)) for name, texts in groups.items() for tier in tiers]
    for name, texts in groups.items():
        if degraded and CONDITIONS_TIER in codec.tiers:
            plan += [BenchStep(1, partial(one, texts, CONDITIONS_TIER, name, condition)) for condition in CONDITIONS]
        if ageing:
            steps = len([tier for tier in AGEING_TIERS if tier in codec.tiers]) - 1
            plan.append(BenchStep(steps, partial(measure_ageing, codec, texts, name)))
    return plan


def warm_up(codec: Codec, groups: Mapping[str, PageSet], tiers: Sequence[str]) -> None:
    """Measures one page at each tier, so that no row includes one-time set-up."""
    texts = first_pages(next(iter(groups.values())), 1)
    for tier in tiers:
        measure(codec, texts, tier, "")


def run_plan(plan: Sequence[BenchStep], progress: Progress) -> list[BenchRow]:
    """Runs all steps, and returns their rows. `progress`: called with the rows done and the total."""
    total = sum(step.rows for step in plan)
    rows: list[BenchRow] = []
    for step in plan:
        for row in step.run():
            rows.append(row)
            progress(len(rows), total)
    return rows
