"""Plans the capacity for many banks from the measured cost of each step.

python -m benchmarks.fleet --only costs --json > costs.json
python -m benchmarks.fleet --only plan --costs costs.json
python -m benchmarks.fleet --only shard --costs costs.json
python -m benchmarks.fleet --only lag --costs costs.json
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.command_line import Advance, add_json_option, at_least, progress_bar, show_fields, write_json

from .costs import Costs, costs_from, measure_costs
from .plan import DAY_S, Assumptions, plan
from .queue_lag import measure_lag
from .simulation import Machines, daily, quantile, simulate

#: Numbers of workers whose lag is measured and simulated.
SIZES = (1, 2)
SHARE = 0.7  # work that becomes due, as a share of the workers' capacity
INTERVAL_S = 60.0  # scheduler interval in a shard


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fleet",
        description="Measure the cost of each step (costs), compute the capacity plan (plan), simulate one day of a "
        "database's queue (shard), and measure and simulate queue lag with one worker and with two (lag).",
    )
    parser.add_argument(
        "--only", choices=("costs", "plan", "shard", "lag"), action="append", help="Part; can be repeated."
    )
    parser.add_argument("--costs", type=Path, metavar="FILE", help="Output of --only costs --json.")
    for name, least, default, text in (
        ("messages", 200, 2_000, "costs: messages"),
        ("jobs", 3, 40, "costs: jobs timed"),
        ("pages", 2, 60, "lag: pages"),
    ):
        parser.add_argument(
            f"--{name}", type=at_least(least), default=default, metavar="N", help=f"{text} (%(default)s)."
        )
    for field in fields(Assumptions):
        kind = int if field.type in (int, "int") else float
        text = f"plan: {field.name.replace('_', ' ')} (%(default)s)."
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default, help=text)
    add_json_option(parser)
    return parser


def _shard(costs: Costs, use: Assumptions) -> dict[str, Any]:
    """Simulates one day of a database's queue with the minimum, the planned and twice the planned number of workers."""
    needed = plan(costs, use)
    pages = round(needed.pages_per_day / needed.shards * (1 + len(costs.age_s_per_page)))
    mean_s = (costs.seal_s_per_page + sum(costs.age_s_per_page.values())) / (1 + len(costs.age_s_per_page))
    planned = ceil(needed.worker_cores / needed.shards)
    least = ceil(pages * mean_s / DAY_S)
    result: dict[str, Any] = {"jobs_per_day": pages, "mean_s": round(mean_s, 3), "planned_workers": planned}
    due = daily(pages, use.banks_per_shard, use.peak)
    for workers in sorted({least, planned, 2 * planned}):
        lags = simulate(Machines(workers, INTERVAL_S, [mean_s]), due)
        result[f"workers_{workers}"] = {"p50_s": quantile(lags, 0.5), "p99_s": quantile(lags, 0.99), "max_s": max(lags)}
    return result


def _lag(folder: Path, costs: Costs, pages: int) -> dict[str, Any]:
    result = {}
    mean_s = sum(costs.job_s) / len(costs.job_s)
    for workers in SIZES:
        own = folder / f"lag-{workers}"
        own.mkdir()
        lag = measure_lag(own, workers, (pages, SHARE * workers / mean_s), costs.job_s)
        result[f"workers_{workers}"] = asdict(lag)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    options = _parser().parse_args(arguments)
    use = replace(Assumptions(), **{field.name: getattr(options, field.name) for field in fields(Assumptions)})
    chosen = options.only or ["costs", "plan", "shard", "lag"]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="foxing-bench-") as name, progress_bar("measuring") as progress:
        costs = _costs(Path(name), options, progress)
        parts: Mapping[str, Callable[[], Any]] = {
            "costs": lambda: asdict(costs),
            "plan": lambda: {**asdict(use), **asdict(plan(costs, use))},
            "shard": lambda: _shard(costs, use),
            "lag": lambda: _lag(Path(name), costs, options.pages),
        }
        for part in chosen:
            results[part] = parts[part]()
    if options.as_json:
        write_json(results)
        return
    for part, result in results.items():
        print(f"\n{part}")
        show_fields(result)


def _costs(folder: Path, options: argparse.Namespace, progress: Advance) -> Costs:
    if options.costs is not None:
        return costs_from(options.costs.read_text(encoding="utf-8"))
    return measure_costs(folder, options.messages, options.jobs, progress)


if __name__ == "__main__":
    main()
