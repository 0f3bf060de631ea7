"""The benchmark of recall."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.evidence import found_share
from benchmarks.locomo import Question
from benchmarks.recall import main


def test_facts_are_found_in_a_bank(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--messages", "12", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert list(result) == [
        *("messages", "pages", "questions", "found_first", "cold_p50_ms", "cold_p95_ms", "warm_p50_ms")
    ]
    assert (result["messages"], result["pages"], result["questions"]) == (12, 1, 12)
    assert result["found_first"] > 0.9
    assert result["warm_p50_ms"] > 0
    assert 0 < result["cold_p50_ms"] <= result["cold_p95_ms"]


@pytest.mark.parametrize("tier", ["open", "tiny"])
def test_locomo_evidence_is_found(tier: str, locomo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--locomo", str(locomo_file), "--tier", tier, "--json"])
    result = json.loads(capsys.readouterr().out)
    rankings = result.pop("rankings")
    assert {row["recall_5"] for row in rankings} == {1.0}
    assert {row["system"] for row in rankings if row["unit"] == "message"} == {"foxing", "bm25", "embeddings"}
    assert result == {
        "dataset": "LoCoMo",
        "tier": tier,
        "conversations": 1,
        "questions": 1,
        "evidence": 1.0,
        "bm25_evidence": 1.0,
        "ratio": 1.0,
        "found_first": 1.0,
        "categories": {"single-hop": {"questions": 1, "evidence": 1.0, "bm25_evidence": 1.0}},
    }


def test_results_are_shown_as_a_table(locomo_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gzipped = locomo_file.with_suffix(".json.gz")
    gzipped.write_bytes(gzip.compress(locomo_file.read_bytes()))
    main(["--locomo", str(gzipped), "--tier", "open"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["bm25", "evidence", "1"] in lines
    assert ["single-hop", "1"] in lines


def test_evidence_is_found_where_enough_of_its_answer_is_given_back() -> None:
    def share(answer: str, given: str | None) -> float:
        question = Question("?", frozenset({"m"}), answer)
        return found_share(question, {"m": "Ada bought a blue bike in Bremen"}, {} if given is None else {"m": given})

    assert share("the blue bike, 2021", "Ada bought a blue bike") == 1  # 2021 stands elsewhere
    assert share("a blue bike", "Ada ⋯ bike") == 0
    assert share("Ada's blue bike in Bremen", "Ada ⋯ blue bike ⋯") == 1
    assert share("Nothing of it", "Ada bought a blue bike in Bremen") == 1
    assert share("Nothing of it", "Ada bought a blue bike") == 0
    assert share("a blue bike", None) == 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not a LoCoMo file"),
        ("[{}]", "is not a LoCoMo file"),
        ("[]", "has no questions with evidence; LoCoMo is published at https://github.com/snap-research/locomo"),
    ],
)
def test_a_file_that_is_not_locomo_is_named(tmp_path: Path, content: str, reason: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit, match=rf"other\.json {reason}"):
        main(["--locomo", str(path)])


@pytest.mark.parametrize("arguments", [["--messages", "9"], ["--messages", "many"], ["--tier", "large"]])
def test_invalid_options_exit_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err
