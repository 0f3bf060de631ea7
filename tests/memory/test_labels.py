"""Labels of recalls: their file, and that erasing erases them."""

import json
import stat
from pathlib import Path
from threading import Thread

import pytest

from foxing.memory import InvalidInput, Memory, MemoryOptions, NotFound
from foxing.memory.labels import labels_path

BANK = "ana"


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    memory = Memory(tmp_path / "foxing.db", options=MemoryOptions(embedder="none"))
    memory.store(BANK, [{"id": f"m{n}", "role": "user", "content": f"Titan {n}"} for n in range(4)], thread="t")
    memory.store("other", [{"id": "m0", "role": "user", "content": "Titan"}])
    return memory


def lines_of(memory: Memory) -> list[dict[str, object]]:
    path = memory.operations.labels.path
    assert path is not None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_label_has_the_question_ids_verdict_and_date_alone(memory: Memory, tmp_path: Path) -> None:
    memory.operations.labels.add(BANK, "Is it\nTitan?", "wrong", "m1")
    memory.operations.labels.add(BANK, "é?", "missing", "m2")
    first, second = lines_of(memory)
    assert set(first) == {"bank", "bank_id", "query", "message_id", "verdict", "at"}
    assert (first["query"], first["verdict"], first["message_id"]) == ("Is it\nTitan?", "wrong", "m1")
    assert str(first["at"]).endswith("Z")
    assert second["query"] == "é?"
    path = tmp_path / "foxing.labels.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_no_label_is_refused(memory: Memory) -> None:
    labels = memory.operations.labels
    for query, verdict, key in (("", "right", "m1"), ("x" * 10_001, "right", "m1"), ("q", "good", "m1")):
        with pytest.raises(InvalidInput):
            labels.add(BANK, query, verdict, key)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        labels.add(BANK, "q", "right", "none")
    with pytest.raises(NotFound):
        labels.add("none", "q", "right", "m1")
    assert labels.path is not None
    assert not labels.path.exists()


def test_erasing_erases_the_labels_that_name_it(memory: Memory) -> None:
    labels = memory.operations.labels
    for key in ("m0", "m1", "m2"):
        labels.add(BANK, f"question of {key}", "right", key)
    labels.add("other", "question of other", "right", "m0")
    memory.erase_message(BANK, "m0")
    assert [line["query"] for line in lines_of(memory)] == [
        "question of m1",
        "question of m2",
        "question of other",
    ]
    memory.operations.bundles.rename(BANK, "anna")
    memory.erase_bank("anna")
    assert [line["query"] for line in lines_of(memory)] == ["question of other"]
    memory.erase_thread("other", "main")
    assert lines_of(memory) == []


def test_labels_are_appended_whole_while_others_are_erased(memory: Memory) -> None:
    labels = memory.operations.labels

    def add(key: str) -> None:
        for _ in range(40):
            labels.add(BANK, "x" * 5_000, "right", key)

    threads = [Thread(target=add, args=(f"m{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    memory.erase_message("other", "m0")
    with memory._database.read() as connection:
        from foxing.memory.storage.repositories import banks

        bank_id = banks.get(connection, BANK).id
    while any(thread.is_alive() for thread in threads):
        labels.erase(bank_id, {"m3"})
    for thread in threads:
        thread.join()
    labels.erase(bank_id, {"m3"})
    assert len(lines_of(memory)) == 120


def test_the_file_is_beside_a_sqlite_database_unless_another_is_set(tmp_path: Path) -> None:
    assert labels_path(f"sqlite:///{tmp_path}/a.db", None) == tmp_path / "a.labels.jsonl"
    assert labels_path(f"sqlite:///{tmp_path}/a.db", "none") is None
    assert labels_path("sqlite://", None) is None
    assert labels_path("postgresql://u@h/d", None) is None
    assert labels_path("postgresql://u@h/d", str(tmp_path / "x")) == tmp_path / "x"
    with Memory(tmp_path / "a.db", options=MemoryOptions(embedder="none", labels_file="none")) as memory:
        memory.store(BANK, [{"id": "m1", "role": "user", "content": "Titan"}])
        with pytest.raises(InvalidInput, match="labels_file"):
            memory.operations.labels.add(BANK, "q", "right", "m1")
        memory.erase_bank(BANK)
