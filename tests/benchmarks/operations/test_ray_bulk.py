"""The benchmark of Ray on a few pages."""

import json
from importlib.util import find_spec

import pytest

from benchmarks.ray_bulk.__main__ import main


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra 'ray'")
def test_each_page_is_aged_once(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--pages", "40", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["pages"] == result["aged_once"] == result["dropped"] == result["dropped_pages"] >= 40
    assert (result["aged_otherwise"], result["leases"], result["killed"]) == (0, 0, 1)
    assert min(result["speedup"], result["ray_pages_per_s"]) > 0
