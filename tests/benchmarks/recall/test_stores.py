"""Foxing beside other stores, on a few messages."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.processes import forking_context
from support.search_doubles import HashingEmbedder

from benchmarks.baselines.extensions import NotInstalled
from benchmarks.figures.document import Figures
from benchmarks.figures.tables import TABLES
from benchmarks.stores import comparison
from benchmarks.stores.__main__ import main
from benchmarks.stores.conversations import in_one_bank, read_conversations
from benchmarks.stores.measurement import StoreRow, measure
from benchmarks.stores.store import POSTGRESQL, Place
from benchmarks.stores.systems import SYSTEMS
from foxing.memory import InvalidInput


def measured(key: str, locomo_file: Path, folder: Path, url: str = "") -> StoreRow:
    folder.mkdir()
    url = url.replace("+psycopg", "")  # as all packages write it
    return measure(SYSTEMS[key], Place(folder, url), HashingEmbedder(), read_conversations(locomo_file))


@pytest.mark.parametrize("database", ["sqlite", POSTGRESQL])
@pytest.mark.parametrize("system", ["foxing", "foxing-langgraph"])
def test_foxing_is_measured(
    system: str, database: str, locomo_file: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = ""
    if database == POSTGRESQL:  # without tables: those of an earlier test would count as no growth
        url = request.getfixturevalue("postgres_server").new_database(migrated=False)
    row = measured(f"{system}/{database}", locomo_file, tmp_path / "place", url)
    assert (row.system, row.messages, row.questions, row.batched_per_s) == (system, 4, 1, 0)
    assert row.evidence == 1
    assert (row.finish_s > 0) == (system == "foxing")
    assert row.single_per_s > 0
    assert 0 < row.store_p50_ms <= row.store_p95_ms
    assert 0 < row.recall_p50_ms == row.recall_p95_ms
    assert min(row.again_p50_ms, row.bytes, row.peak_mib) > 0
    assert row.bytes >= row.empty_bytes > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::pydantic.PydanticDeprecatedSince20")
@pytest.mark.parametrize(
    "key", [key for key, system in SYSTEMS.items() if system.extra in ("store-baselines", "chroma")]
)
def test_other_stores_are_measured(key: str, locomo_file: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    try:
        url = ""
        if SYSTEMS[key].database == POSTGRESQL:
            url = request.getfixturevalue("postgres_server").new_database(migrated=False)
        row = measured(key, locomo_file, tmp_path / "place", url)
    except NotInstalled as error:
        pytest.skip(str(error))
    assert (row.messages, row.questions, row.evidence) == (4, 1, 1)
    assert min(row.recall_p50_ms, row.bytes, row.vacuumed_bytes) > 0


def test_stores_are_compared(
    locomo_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "get_context", lambda _: forking_context())
    options = ["--folder", str(locomo_file.parent), "--only", "foxing-langgraph/sqlite", "--only", "foxing/sqlite"]
    main([*options, "--only", "chroma/folder", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["embedder"], result["messages"], result["questions"]) == ("use", 4, 1)
    assert result["text_bytes"] == 126
    ours, foxing = result["stores"][1::-1], result["stores"][1]
    assert [row["system"] for row in ours] == ["foxing", "foxing-langgraph"]
    ratio = result["ratios"][0]
    assert (ratio["system"], ratio["batched"], ratio["evidence"]) == ("foxing-langgraph", 0, 1)
    assert ratio["bytes"] == round(ours[1]["bytes"] / foxing["bytes"], 3)
    if find_spec("chromadb") is None:
        assert "pip install 'foxing[chroma]'" in result["left_out"]["chroma/folder"]
    else:
        assert [row["system"] for row in result["ratios"]] == ["foxing-langgraph", "chroma"]
    tables = Figures({"stores": {"measured": {"weights": "w"}, **result}})
    shown = TABLES["stores"].make(tables)
    assert "| **Foxing**, SQLite 0.1.0 |" in shown
    assert "4 messages, the first 4 one per call; 1 questions." in shown
    assert "| Foxing's store for LangGraph, SQLite |" in TABLES["stores-ratios"].make(tables)


def test_conversations_are_cut_with_their_questions(locomo_file: Path) -> None:
    assert [(len(each.messages), len(each.questions)) for each in read_conversations(locomo_file, 4)] == [(4, 1)]
    with pytest.raises(InvalidInput, match=r"no question of .* has its evidence among these messages"):
        read_conversations(locomo_file, 3)


def test_one_large_bank_repeats_the_conversations(locomo_file: Path) -> None:
    bank = in_one_bank(read_conversations(locomo_file), 11, 5)
    assert len({message.id for message in bank.messages}) == len(bank.messages) == 11
    assert len({(message.thread, message.created_at, message.text) for message in bank.messages}) == 11
    assert len(bank.questions) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"other\.json is not a LoCoMo file"):
        main(["--locomo", str(tmp_path / "other.json")])
