"""The plan of a fleet, and the simulation of its queue."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.fleet.__main__ import main
from benchmarks.fleet.costs import Costs
from benchmarks.fleet.plan import Assumptions, plan
from benchmarks.fleet.simulation import Due, Machines, daily, evenly, quantile, simulate

COSTS = Costs(
    messages=1000,
    pages=50,
    messages_per_page=20.0,
    store_http_s=0.0015,
    store_s=0.001,
    seal_s_per_page=0.1,
    age_s_per_page={"small": 0.1, "tiny": 0.2, "micro": 0.3},
    recall_s=0.02,
    bytes_per_message={"base": 300.0, "small": 200.0, "tiny": 180.0, "micro": 150.0},
    trash_bytes_per_message=100.0,
    job_s=[0.1, 0.1, 0.2],
)


def test_a_page_waits_for_the_next_tick_and_its_turn() -> None:
    machines = Machines(workers=1, interval_s=10, job_s=[2.0])
    assert simulate(machines, [Due(1.0, 1)]) == [11.0]  # the tick at 10, and the job
    assert simulate(machines, [Due(1.0, 1), Due(1.0, 2)]) == [11.0, 13.0]
    assert simulate(machines, [Due(1.0, 1), Due(2.0, 1)]) == [13.0, 12.0]  # one job of two pages
    assert simulate(machines, [Due(1.0, 1), Due(11.0, 1)]) == [11.0, 11.0]


def test_two_workers_halve_the_wait_and_too_few_fall_behind() -> None:
    pages = evenly(400, 100.0, 400)
    few, enough, more = (simulate(Machines(n, 1.0, [0.4]), pages) for n in (1, 2, 4))
    assert len(few) == len(enough) == len(more) == 400
    assert quantile(more, 0.95) < quantile(enough, 0.95) < quantile(few, 0.95)
    assert max(few) == pytest.approx(60, abs=3)  # 160 s of work by one worker, in 100 s
    assert simulate(Machines(2, 1.0, COSTS.job_s), pages) == simulate(Machines(2, 1.0, COSTS.job_s), pages)


def test_the_busiest_hour_of_a_day_has_its_share() -> None:
    pages = daily(12_000, 100, peak=3.0)
    hours = [sum(int(page.at_s // 3600) == hour for page in pages) for hour in range(24)]
    assert sum(hours) == 12_000
    assert 2.3 < max(hours) / 500 < 3.2
    assert min(hours) / 500 < 0.8


def test_the_plan_grows_with_the_messages_and_says_what_for() -> None:
    use = Assumptions()
    one, two = plan(COSTS, use), plan(COSTS, replace(use, messages_per_day=2 * use.messages_per_day))
    # 1e9 messages a day are 11,574 a second, 50 million pages a day 579
    assert one.api_cores == 87  # 11,574 × 1.5 ms × 3 ÷ 0.6
    assert one.seal_cores == 97  # 579 × 0.1 s ÷ 0.6
    assert one.age_cores == {"small": 97, "tiny": 193, "micro": 290}
    assert one.worker_cores == 97 + 97 + 193 + 290
    assert one.shards == 500
    # a week at 300 bytes, 23 days at 200, 335 at 180 and two years at 150, and three weeks of 100 in the trash
    assert one.storage_tb == pytest.approx(3 * (7 * 300 + 23 * 200 + 335 * 180 + 730 * 150 + 21 * 100) / 1000, abs=0.1)
    for name in ("api_cores", "worker_cores", "storage_tb", "core_dollars_per_month"):
        assert getattr(two, name) == pytest.approx(2 * getattr(one, name), rel=0.02)
    assert two.shards == one.shards


def test_the_command_plans_and_simulates_from_stored_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "costs.json"
    path.write_text(json.dumps({"costs": COSTS.__dict__}), encoding="utf-8")
    few = ["--banks", "2000", "--messages-per-day", "20000"]
    main(["--only", "plan", "--only", "shard", "--costs", str(path), *few, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["plan"]["shards"] == 1
    shard = result["shard"]
    assert shard["jobs_per_day"] == 4_000  # 1,000 pages, sealed and aged three times
    planned = shard[f"workers_{shard['planned_workers']}"]
    assert 0 < planned["p50_s"] <= planned["p99_s"] <= planned["max_s"]
