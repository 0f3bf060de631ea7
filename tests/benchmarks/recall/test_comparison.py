"""Recall beside other systems, on small datasets."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.search_doubles import HashingEmbedder

from benchmarks.baselines.comparison import compare, open_systems
from benchmarks.baselines.extensions import NotInstalled
from benchmarks.baselines.packages import PACKAGES
from benchmarks.baselines.system import Embeddings, Ranking
from benchmarks.datasets.dataset import Dataset
from benchmarks.evidence import BUDGET_TOKENS, CATEGORIES
from benchmarks.locomo import read_locomo
from benchmarks.recall import main
from foxing.memory import Memory, MemoryOptions, NewMessage

MISSING = ("mem0", "langgraph.store.memory")
MESSAGES = [
    NewMessage(id="parrot", role="user", name="Ada", content="I adopted a parrot.", created_at=datetime.now(UTC)),
    NewMessage(id="train", role="assistant", name="Ben", content="The train was late.", created_at=datetime.now(UTC)),
    NewMessage(id="again", role="assistant", name="Ben", content="The train was late.", created_at=datetime.now(UTC)),
    NewMessage(id="long", role="user", name="Ada", content="parrot " * BUDGET_TOKENS, created_at=datetime.now(UTC)),
]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MISSING:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", PACKAGES)
def test_a_system_finds_messages_within_the_budget(name: str) -> None:
    embedder = HashingEmbedder()
    try:
        system: Ranking = PACKAGES[name](embedder)
    except NotInstalled as error:
        pytest.skip(str(error))
    system.store([NewMessage(id="old", role="user", content="an old parrot", created_at=datetime.now(UTC))])
    system.store(MESSAGES)
    alone = Embeddings(embedder)
    alone.store(MESSAGES)
    for question in ("Which parrot was adopted?", "Was a train late?"):
        assert system.answer(question) == alone.answer(question)
    assert set(system.answer("train")) == {"train", "again", "parrot"}
    assert system.answer("train")["train"] == "The train was late."
    assert set(system.ranked("parrot")) == {"parrot", "train", "again", "long"}  # nothing of the conversation before


def test_systems_are_compared_by_category(locomo_file: Path, database_path: Path, nothing_installed: None) -> None:
    embedder = HashingEmbedder()
    with Memory(database_path, options=MemoryOptions(embedder=embedder)) as memory:
        opened = open_systems(memory, "open", embedder)
        dataset = Dataset("LoCoMo", read_locomo(locomo_file), dict(CATEGORIES))
        rows = compare(opened.systems, [lambda: dataset])
    assert [(row.category, row.system) for row in rows] == [
        (category, system) for category in ("single-hop", "all") for system in ("foxing", "bm25", "embeddings")
    ]
    for row in rows:
        assert (row.questions, row.found, row.low, row.high) == (1, 1, 1, 1)
        assert (row.foxing_ahead, row.ahead_low, row.ahead_high) == (0, 0, 0)
    assert list(opened.left_out) == list(PACKAGES)
    assert all("pip install 'foxing[store-baselines]'" in reason for reason in opened.left_out.values())


def test_the_spread_is_that_of_the_questions(database_path: Path, locomo_file: Path) -> None:
    class Half:
        """Finds the evidence of every second question."""

        def __init__(self, name: str, share: int) -> None:
            self.name, self.share, self.asked = name, share, 0

        def store(self, messages: object) -> None:
            pass

        def answer(self, question: str) -> dict[str, str]:
            self.asked += 1
            return {"conv-1/D1:1": "Zebedee", "conv-1/D1:4": "green parrot"} if self.asked % self.share == 0 else {}

    (conversation,) = read_locomo(locomo_file)
    dataset = Dataset("many", [conversation] * 100, dict(CATEGORIES))
    ours, theirs = compare([Half("foxing", 1), Half("half", 2)], [lambda: dataset])[-2:]
    assert (ours.found, ours.low, ours.high) == (1, 1, 1)
    assert theirs.found == 0.5
    assert 0.38 < theirs.low < 0.42 < 0.58 < theirs.high < 0.62
    assert theirs.foxing_ahead == 0.5
    assert theirs.ahead_low == pytest.approx(1 - theirs.high)


def test_a_folder_is_measured(locomo_file: Path, capsys: pytest.CaptureFixture[str], nothing_installed: None) -> None:
    main(["--folder", str(locomo_file.parent), "--tier", "open", "--embedder", "none", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["tier"], result["embedder"]) == ("open", "none")
    assert [row["system"] for row in result["evidence"]] == ["foxing", "bm25"] * 2
    assert result["left_out"] == dict.fromkeys(("embeddings", *PACKAGES), "no embedder")
    main(["--folder", str(locomo_file.parent), "--tier", "open", "--embedder", "none"])
    shown = capsys.readouterr().out
    assert "mem0 was not measured: no embedder" in shown
    with pytest.raises(SystemExit, match="has no LoCoMo"):
        main(["--folder", str(locomo_file.parent / "nowhere")])
