"""The benchmark of growth covers every entry, and finds what grows too fast."""

import re
from pathlib import Path

import pytest

from benchmarks.growth.__main__ import measure, probes
from benchmarks.growth.probes import Call, Probe, World

pytestmark = pytest.mark.slow


def test_every_route_command_and_importer_has_inputs(tmp_path: Path) -> None:
    entries = {probe.entry for probe in probes(tmp_path, ())}
    assert {"POST /v1/banks/{bank}/messages", "foxing recall", "import mail", "store an image"} <= entries


def test_short_inputs_are_measured(tmp_path: Path) -> None:
    chosen = probes(tmp_path, ["/recall: query of everything", "foxing recall: query", "import jsonl: lines"])
    grown = list(measure(chosen, 60))
    assert [each.entry for each in grown] == ["POST /v1/banks/{bank}/recall", "foxing recall", "import jsonl"]
    assert all(len(each.cpu_s) == 4 and not each.fault.startswith(("status", "died")) for each in grown)


def test_what_grows_too_fast_is_found() -> None:
    def quadratic(world: World, size: int) -> Call:
        text = "a" * size
        return lambda: None if re.fullmatch("(?:a*a*)b", text) is None else 200

    def endless(world: World, size: int) -> Call:
        return lambda: sum(iter(lambda: 0, 1))

    first, second = measure([Probe("slow", "text", 16_000, quadratic), Probe("stuck", "text", 8, endless)], 3)
    assert "times the processor time" in first.fault or "took 3 s" in first.fault
    assert second.fault == "a call took 3 s"
