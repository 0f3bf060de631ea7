"""Redaction of messages by the policy of their bank."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.redaction import measure
from foxing.memory import InvalidInput, InvalidPolicy, Memory, MemoryOptions
from foxing.memory.ingest.importers import import_file

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = "ghp_" + "a1B2" * 9
ALL = ["secrets", "email", "phone", "card", "private"]


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, options=MemoryOptions(embedder="none"), clock=lambda: NOW) as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "own.db"


def test_nothing_is_redacted_by_default(memory: Memory) -> None:
    result = memory.store("b", [{"role": "user", "content": KEY}])
    assert result.redacted == {}
    assert memory.recall("b").spans[0].text == KEY


def test_text_tools_and_metadata_are_redacted_before_anything_is_written(file: Path) -> None:
    with Memory(f"sqlite:///{file}", clock=lambda: NOW) as memory:
        memory.set_policy("b", {"redact": ALL})
        result = memory.store(
            "b",
            [
                {"role": "user", "content": f"My key is {KEY}, write to ana@example.org or +49 30 1234567."},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "<private>my diary</private> done"},
                        {
                            "type": "tool_call",
                            "id": "c",
                            "name": "run",
                            "arguments": {"env": {"password": "hunter2!X9"}},
                        },
                        {"type": "tool_result", "id": "c", "content": f"paid with 4111 1111 1111 1111, {KEY}"},
                    ],
                    "metadata": {"contact": "bo@example.org"},
                },
            ],
        )
        assert result.redacted == {
            "github token": 2,
            "email": 2,
            "phone": 1,
            "private": 1,
            "assigned secret": 1,
            "card": 1,
        }
        memory.seal("b")
        first, second = memory.recall("b").spans
        assert first.text == "My key is [redacted: github token], write to [redacted: email] or [redacted: phone]."
        assert second.metadata == {"contact": "[redacted: email]"}
        assert memory.recall("b", "ghp").spans == [] or KEY not in memory.recall("b", "ghp").spans[0].text
    written = b"".join(path.read_bytes() for path in file.parent.glob("own.db*"))
    for planted in (KEY, "ana@example.org", "1234567", "diary", "hunter2", "4111", "bo@example.org"):
        assert planted.encode() not in written
    with sqlite3.connect(file) as connection:
        policies = connection.execute("SELECT policy FROM banks").fetchall()
    assert json.loads(policies[0][0])["redact"] == ALL


def test_rules_of_another_process_apply_to_the_next_message(database_url: str) -> None:
    with Memory(database_url, options=MemoryOptions(embedder="none")) as one:
        one.store("b", [{"role": "user", "content": "hello"}])
        with Memory(database_url, options=MemoryOptions(embedder="none")) as other:
            other.set_policy("b", {"redact": ["email"]})
        result = one.store("b", [{"role": "user", "content": "ana@example.org"}])
        assert result.redacted == {"email": 1}
        assert one.recall("b").spans[-1].text == "[redacted: email]"


@pytest.mark.slow
def test_rules_that_change_while_others_store(memory: Memory) -> None:
    """What is stored after a change of the policy has been returned follows it."""
    changed = threading.Event()
    late: list[str] = []

    def store() -> None:
        for number in range(60):
            after = changed.is_set()
            [key] = memory.store("b", [{"role": "user", "content": f"a{number}@example.org"}]).ids
            if after:
                late.append(key)

    memory.store("b", [{"role": "user", "content": "hello"}])
    threads = [threading.Thread(target=store) for _ in range(4)]
    for thread in threads:
        thread.start()
    memory.set_policy("b", {"redact": ["email"]})
    changed.set()
    for thread in threads:
        thread.join()
    assert {memory.message("b", key).text for key in late} <= {"[redacted: email]"}


def test_a_message_stored_again_is_known(memory: Memory) -> None:
    memory.set_policy("b", {"redact": ["email"]})
    message = {"id": "m", "role": "user", "content": "ana@example.org", "created_at": "2026-01-01T00:00:00Z"}
    assert memory.store("b", [message], idempotency_key="k").stored == 1
    assert memory.store("b", [message], idempotency_key="k").stored == 1  # the answer to the first
    assert memory.store("b", [message]).duplicates == 1


def test_patterns_of_the_banks_own(memory: Memory) -> None:
    memory.set_policy("b", {"redact_patterns": {"customer": r"CN-\d{6}", "code": r"code (?P<secret>\w+)"}})
    memory.store("b", [{"role": "user", "content": "CN-123456 has code alpha"}])
    assert memory.recall("b").spans[0].text == "[redacted: customer] has code [redacted: code]"


def test_a_pattern_that_takes_too_long_stores_nothing(memory: Memory) -> None:
    memory.set_policy("b", {"redact_patterns": {"slow": r"(a+a+)+b"}})
    with pytest.raises(InvalidInput, match=r"'slow' .* takes longer"):
        memory.store("b", [{"role": "user", "content": "a" * 60_000}])
    assert memory.recall("b").spans == []


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"redact": ["names"]}, "redact"),
        ({"redact_patterns": {"broken": "("}}, "'broken' is not a regular expression"),
        ({"redact_patterns": {"empty": "x*"}}, "'empty' matches nothing"),
        ({"redact_patterns": {"": "x"}}, "redact_patterns"),
    ],
)
def test_rules_that_are_refused(memory: Memory, policy: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidPolicy, match=reason):
        memory.set_policy("b", policy)


@pytest.mark.parametrize(
    "clean",
    [
        "password = getpass.getpass()",
        'token = os.environ["API_TOKEN"]',
        "The secret: we ship Titan on 14 March.",
        "key = 'primary'",
        'password: "your-password-here"',
        "https://user@example.org/path",
        "call 2026-11-29 or 12:30 to 14:45, order 5999626156",
        "4111 1111 1111 1112",
        "sha 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_clean_text_is_left_alone(memory: Memory, clean: str) -> None:
    memory.set_policy("b", {"redact": ALL})
    assert memory.store("b", [{"role": "user", "content": clean}]).redacted == {}


def test_planted_secrets_are_found_and_clean_code_is_not_touched() -> None:
    figures = measure([Path(threading.__file__).parent / "email", Path(threading.__file__).parent / "http"])
    assert figures.kinds >= 40
    assert figures.found >= 0.95
    assert figures.clean_lines > 5_000
    assert figures.touched_lines <= figures.clean_lines / 1000


def test_an_import_counts_what_is_redacted(memory: Memory, tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"role": "user", "content": "ana@example.org and bo@example.org"}))
    memory.set_policy("b", {"redact": ["email"]})
    assert import_file(memory, path, bank="b").redacted == {"email": 2}
    assert import_file(memory, path, bank="b").stored == 0
