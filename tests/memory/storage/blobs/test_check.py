"""`foxing db check` of blobs in object storage."""

import pytest
from support.command_line import Foxing
from support.databases import execute
from support.operations.blobs import START, Storage, fill

from foxing.memory import Memory
from foxing.memory.storage.blobs.reference import BlobReference

pytestmark = pytest.mark.both_databases


@pytest.fixture
def foxing(database_url: str, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Foxing:
    options = storage.options(database_url)
    monkeypatch.setenv("FOXING_BLOBS_URL", str(options.blobs_url))
    monkeypatch.setenv("FOXING_BLOBS_MIN_BYTES", str(options.blobs_min_bytes))
    return Foxing(database_url)


def parts(foxing: Foxing, *options: str, status: int) -> dict[str, dict[str, object]]:
    """The checks that found something."""
    import json

    result = foxing.run("db", "check", *options, "--json")
    assert result.exit_code == status, result.output
    return {part["name"]: part for part in json.loads(result.stdout)["parts"] if part["problems"]}


def test_blobs_that_are_as_they_were_left_are_sound(foxing: Foxing, memory: Memory, storage: Storage) -> None:
    fill(memory)
    memory.age("ana", now=memory.now(START.replace(day=20)))
    memory.erase_message("ana", "3")
    storage.make_old()
    assert parts(foxing, status=0) == {}


def test_a_missing_blob_is_found_and_named(foxing: Foxing, memory: Memory, database_url: str, storage: Storage) -> None:
    fill(memory)
    page = memory.pages("ana").pages[1].id
    row = execute(database_url, f"SELECT tokens FROM page_contents JOIN pages ON id = page_id WHERE key = '{page}'")
    reference = BlobReference.read(bytes(row[0][0]))
    assert reference is not None
    (path,) = [path for path in storage.files() if path.name == reference.name]
    path.unlink()

    found = parts(foxing, "--repair", status=1)

    assert found["blobs"]["problems"] == 1
    assert page in str(found["blobs"]["examples"])
    assert reference.name in str(found["blobs"]["examples"])
    assert "page-tokens" in found
    path.write_bytes(b"cut")
    assert "has 3 bytes" in str(parts(foxing, status=1)["blobs"]["examples"])


def test_wrong_uses_and_orphans_are_repaired(
    foxing: Foxing, memory: Memory, database_url: str, storage: Storage
) -> None:
    fill(memory)
    execute(database_url, "UPDATE blobs SET uses = 7 WHERE name = (SELECT min(name) FROM blobs)")
    name = execute(database_url, "SELECT max(name) FROM blobs")[0][0]
    execute(database_url, f"DELETE FROM blobs WHERE name = '{name}'")
    orphan = storage.files()[0].parents[1] / "ab" / f"{'ab' * 32}-{'00' * 8}"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"left by a killed process")
    assert set(parts(foxing, status=1)) == {"blobs"}
    storage.make_old()

    found = parts(foxing, "--repair", status=0)

    assert found["blobs"]["repaired"] == 2
    assert found["blob-orphans"]["repaired"] >= 1
    assert not orphan.exists()
    assert parts(foxing, status=0) == {}
    assert all(memory.page_tokens("ana", page.id) for page in memory.pages("ana").pages)
