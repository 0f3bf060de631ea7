"""What `foxing codec bench` measures beside one row a tier, in the order in which it does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from foxing.encoder import Codec, QuantizableCodec
from foxing.renderer import grid_text, render

from . import (
    AGEING_TIERS,
    CONDITIONS,
    CONDITIONS_TIER,
    BenchRow,
    PageSet,
    aged,
    measure,
    measure_sizes,
    offered_sizes,
)
from .baselines import Baseline, BaselineRow, compare

#: Told steps done and steps to do.
Advance = Callable[[int, int], None]

Work = tuple[int, Callable[[], Iterator[BenchRow]]]  # how many rows, and what gives them


def plan_rows(
    codec: Codec, groups: Mapping[str, PageSet], tiers: Sequence[str], *, sizes: bool, degraded: bool, ageing: bool
) -> list[Work]:
    """Everything that makes rows: the plain ones of all groups first."""

    def one(texts: PageSet, tier: str, name: str, condition: str = "clean") -> Iterator[BenchRow]:
        yield measure(codec, texts.pages, tier, name, condition)

    plan: list[Work] = [(1, partial(one, texts, tier, name)) for name, texts in groups.items() for tier in tiers]
    for name, texts in groups.items():
        if sizes:
            for tier in tiers:
                others = len(offered_sizes(codec, tier)) - 1
                plan.append((others, partial(measure_sizes, codec, texts.pages, tier, name)))
        if degraded and CONDITIONS_TIER in codec.tiers:
            plan += [(1, partial(one, texts, CONDITIONS_TIER, name, condition)) for condition in CONDITIONS]
        if ageing:
            steps = len([tier for tier in AGEING_TIERS if tier in codec.tiers]) - 1
            plan.append((steps, partial(aged, codec, texts.pages, name)))
    return plan


def warm_up(codec: Codec, groups: Mapping[str, PageSet], tiers: Sequence[str]) -> None:
    """One page through each tier, so that no row counts what is set up only once."""
    page = next(iter(groups.values())).pages[:1]
    for tier in tiers:
        measure(codec, page, tier, "")


def run_plan(plan: Sequence[Work], progress: Advance) -> list[BenchRow]:
    """The rows of a plan."""
    total = sum(count for count, _ in plan)
    rows: list[BenchRow] = []
    for _, work in plan:
        for row in work():
            rows.append(row)
            progress(len(rows), total)
    return rows


def compare_with(
    engines: Sequence[Baseline],
    codec: Codec,
    groups: Mapping[str, PageSet],
    tiers: Sequence[str],
    pages: int,
    progress: Advance,
) -> tuple[list[BaselineRow], list[dict[str, str]]]:
    """How each engine reads the first `pages` of each group at each tier, and what it cannot read at all."""
    rows: list[BaselineRow] = []
    skipped: list[dict[str, str]] = []
    work = [(engine, name) for engine in engines for name in groups]
    for number, (engine, name) in enumerate(work):
        part = groups[name].pages[:pages]
        why = engine.cannot_read("".join(page.text for page in part), name)
        if why is not None:
            skipped.append({"engine": engine.name, "language": name, "why": why})
            continue
        for step, tier in enumerate(tiers):
            rows.append(compare(codec, engine, part, tier, name))
            progress(number * len(tiers) + step + 1, len(work) * len(tiers))
    return rows, skipped


def storage_of(
    codec: QuantizableCodec, groups: Mapping[str, PageSet], tiers: Sequence[str], progress: Advance
) -> list[dict[str, Any]]:
    """What storing tokens in each dtype does at each tier, measured on the first page of each group."""
    pages = [texts.pages[0] for texts in groups.values()]
    lines = ["\n".join(grid_text(row) for row in page.cells) for page in pages]
    rows: list[dict[str, Any]] = []
    for number, tier in enumerate(tiers):
        images = [render(page.cells, page.layout, tier) for page in pages]
        rows += [{"tier": tier, **asdict(effect)} for effect in codec.storage_effects(images, lines, tier)]
        progress(number + 1, len(tiers))
    return rows
