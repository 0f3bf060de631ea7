"""Checks of sound databases, on both dialects, and of databases that cannot be checked."""

from pathlib import Path

import pytest
from support.command_line import Foxing
from support.databases import execute
from support.operations.checks import check, examples, problems
from support.search_doubles import DictionaryIndex

from foxing.memory import Memory, Policy
from foxing.memory.check.check import SAMPLED_PAGES, DatabaseCheck
from foxing.memory.codec_source import CodecSource
from foxing.memory.index.embedder import NONE
from foxing.memory.index.embedder_source import EmbedderSource
from foxing.memory.index.hybrid import HybridSearch
from foxing.memory.index.vectors import MessageVectors
from foxing.memory.storage.database import Database
from foxing.memory.text.passages import split_passages

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

WRONG = (
    "DELETE FROM posting_segments WHERE bank_id = (SELECT min(id) FROM banks)",
    "UPDATE embeddings SET message_id = 770000 WHERE message_id = (SELECT max(message_id) FROM embeddings)",
    "DELETE FROM message_ranges WHERE bank_id = (SELECT max(id) FROM banks)",
    "DELETE FROM message_keys WHERE message_id = (SELECT min(message_id) FROM message_keys)",
    "INSERT INTO recall_weights (bank_id, message_id, weight) VALUES (77, 770000, 1.0)",
)
SAID = {"terms", "codes", "lookup", "references"}


@pytest.mark.both_databases
def test_what_foxing_writes_is_sound_and_what_is_wrong_is_repaired(filled: str) -> None:
    sound = check(filled)
    assert examples(sound) == []
    assert (sound.banks, sound.pages, sound.messages, sound.pages_decoded) == (2, 4, 18, 4)
    assert {part.name for part in sound.parts if not part.checked} == set()
    for statement in WRONG:
        execute(filled, statement)
    wrong = check(filled)
    assert set(problems(wrong)) == SAID, examples(wrong)
    assert examples(check(filled)) == examples(wrong)  # nothing was changed
    repaired = check(filled, repair=True)
    assert repaired.sound, examples(repaired)
    assert examples(check(filled)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "a" * 1_000,
        "漢字" * 400,
        ",".join(map(str, range(900))),
        '{"key":1000,"other":"x"},' * 60,
        "see " + "/usr/lib" * 200,
    ],
    ids=["letters", "han", "numbers", "json", "path"],
)
def test_a_message_with_a_word_in_two_passages_is_sound(database_url: str, text: str) -> None:
    with Memory(database_url) as memory:
        [message] = memory.store("ana", [{"role": "user", "content": text}]).ids
        assert len(split_passages(text)) > 1
        assert examples(check(database_url)) == []
        memory.seal("ana")
        assert memory.recall("ana", text[:60], limit=1).spans[0].message_id == message
    assert examples(check(database_url)) == []


def test_a_sample_is_smaller_than_all(filled: str) -> None:
    report = check(filled, everything=False)
    assert report.sound
    assert report.pages_decoded <= SAMPLED_PAGES
    assert report.messages == 18


def test_another_search_index_and_no_embedder_are_noted(filled: str) -> None:
    with Database(filled) as database:
        search = HybridSearch(DictionaryIndex(), MessageVectors(EmbedderSource(NONE)))
        report = DatabaseCheck(database, CodecSource("native", "cpu"), search).run()
    assert report.sound
    notes = {part.name: part.note for part in report.parts if part.note}
    assert set(notes) == {"postings", "terms"}
    assert "not foxing's own" in (notes["postings"] or "")


@pytest.mark.slow
def test_the_command(filled: str) -> None:
    foxing = Foxing(filled)
    assert foxing.json("db", "check", "--all")["ok"]
    assert foxing.text("db", "check").rstrip().endswith("Everything is in order.")
    execute(filled, "DELETE FROM message_keys WHERE message_id = (SELECT min(message_id) FROM message_keys)")
    wrong = foxing.run("db", "check")
    assert wrong.exit_code == 1
    assert "problem: lookup: " in wrong.stdout
    repaired = foxing.text("db", "check", "--repair")
    assert "1 problems, 1 repaired" in repaired
    assert "Everything is in order." in repaired


def test_another_schema_is_not_checked(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    foxing = Foxing(str(tmp_path / "empty.db"))
    assert "foxing db upgrade" in foxing.failure("db", "check")["detail"]
    Memory(tmp_path / "newer.db").close()
    execute(
        f"sqlite:///{tmp_path / 'newer.db'}",
        "UPDATE alembic_version SET version_num = '2999_01_01_0001', oldest = '2999_01_01_0001'",
    )
    newer = Foxing(str(tmp_path / "newer.db"))
    assert newer.failure("db", "check")["type"].endswith("database-too-new")


@pytest.mark.both_databases
def test_a_text_that_sealing_has_dropped_is_no_problem(database_url: str) -> None:
    with Memory(database_url) as memory:
        memory.set_policy("ana", Policy(keep_text="until:large"))
        memory.store("ana", [{"role": "user", "content": "The delivery is late again."}])
        memory.seal("ana")
    assert execute(database_url, "SELECT count(*) FROM trash") == [(1,)]
    assert examples(check(database_url, embedder="use")) == []
