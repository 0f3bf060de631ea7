"""Plan of `foxing codec bench`: its measurements in the order in which they run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypedDict

from foxing.encoder.capabilities import QuantizableCodec
from foxing.encoder.contract import Codec
from foxing.renderer import Progress, grid_text, render

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


class StorageRow(TypedDict):
    """`StorageEffect` at one tier, for JSON."""

    tier: str
    dtype: str
    bytes_per_page: int
    largest: float
    mean: float
    spread: float
    same_choice: float
    steps: int


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


def storage_of(
    codec: QuantizableCodec, groups: Mapping[str, PageSet], tiers: Sequence[str], progress: Progress
) -> list[StorageRow]:
    """Measures the effect of each storage dtype at each tier on the first page of each group."""
    pages = [texts.pages[0] for texts in groups.values()]
    lines = ["\n".join(grid_text(row) for row in page.cells) for page in pages]
    rows: list[StorageRow] = []
    for number, tier in enumerate(tiers):
        images = [render(page.cells, page.layout, tier) for page in pages]
        rows += [
            StorageRow(
                tier=tier,
                dtype=effect.dtype,
                bytes_per_page=effect.bytes_per_page,
                largest=effect.largest,
                mean=effect.mean,
                spread=effect.spread,
                same_choice=effect.same_choice,
                steps=effect.steps,
            )
            for effect in codec.storage_effects(images, lines, tier)
        ]
        progress(number + 1, len(tiers))
    return rows
