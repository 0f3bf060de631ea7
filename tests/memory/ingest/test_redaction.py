"""Redaction of messages by the policy of their bank."""

import json
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.redaction import measure, measure_written
from foxing.memory import InvalidPolicy, Memory, MemoryOptions, NewMessage
from foxing.memory.ingest.importers import import_file
from foxing.memory.ingest.redaction import SENSITIVE, Redaction, forms
from foxing.memory.values.parts import ToolCall

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = "ghp_" + "a1B2" * 9
ALL = ["secrets", "email", "phone", "card", "iban", "private"]
DATA = Path(__file__).parent / "data"


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
            "secret": 1,
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


@pytest.mark.slow
def test_what_a_pattern_has_not_decided_in_time_is_withheld(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is a message lost, nor is what the pattern might have matched stored."""
    monkeypatch.setattr(forms, "TIME_S", 0.2)
    memory.set_policy("b", {"redact": ["email"], "redact_patterns": {"slow": r"(a+a+)+b"}})
    result = memory.store(
        "b", [{"role": "user", "content": "ana@example.org " + "a" * 60_000}, {"role": "user", "content": "short aab"}]
    )
    assert result.stored == 2
    assert result.redacted == {"slow, not decided in time": 1, "slow": 1}
    assert [span.text for span in memory.recall("b").spans] == [
        "[redacted: slow, not decided in time]",
        "short [redacted: slow]",
    ]


def test_rules_of_the_package_have_the_same_limit(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "TIME_S", 0.0)
    monkeypatch.setattr(forms, "TIME_PER_CHARACTER_S", 0.0)
    memory.set_policy("b", {"redact": ["secrets"]})
    memory.store("b", [{"role": "user", "content": f"the password is hunter2!, {KEY}"}])
    [span] = memory.recall("b").spans
    assert re.fullmatch(r"\[redacted: .*, not decided in time\]", span.text)


def test_a_text_is_searched_again_if_only_the_clock_ran_out(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped, or waited for others, has not spent its time."""
    found = forms.numbers.cards
    expired = iter([True])

    def late(text: str, timeout: float) -> Iterator[tuple[int, int]]:
        yield from found(text, timeout)
        if next(expired, False):
            raise TimeoutError

    monkeypatch.setattr(forms.numbers, "cards", late)
    rules = Redaction(("card",))
    assert rules.text("4111 1111 1111 1111", Counter()) == "[redacted: card]"


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


@pytest.mark.slow
def test_texts_written_before_the_rules_are_recognised_and_ordinary_lines_left() -> None:
    figures = measure_written(DATA / "secrets.jsonl", DATA / "ordinary.jsonl")
    assert (figures.texts, figures.ordinary_lines) == (100, 504)
    assert figures.recognised >= 0.95
    assert figures.right >= 0.95
    assert figures.changed == []


def test_texts_that_neither_rules_nor_weights_were_made_from_are_recognised() -> None:
    """Rules alone recognise 77 % of them."""
    figures = measure_written(DATA / "unread_secrets.jsonl", DATA / "unread_ordinary.jsonl")
    assert (figures.texts, figures.ordinary_lines) == (88, 147)
    assert figures.recognised >= 0.88
    assert len(figures.changed) <= 2


def lines_of(name: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in (DATA / name).read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.parametrize("marked", lines_of("marked.txt"))
def test_what_is_marked_goes_and_what_is_around_it_stays(marked: str) -> None:
    left = Redaction(SENSITIVE).text(marked.replace("⟦", "").replace("⟧", ""), Counter())
    around = re.split("⟦.*?⟧", marked)
    assert [secret for secret in re.findall("⟦(.*?)⟧", marked) if secret in left] == []
    assert [word for text in around for word in re.findall(r"\w+", text) if word not in left] == []


@pytest.mark.slow
def test_plain_texts_are_left() -> None:
    rules = Redaction(SENSITIVE)
    assert [text for text in lines_of("plain.txt") if rules.text(text, Counter()) != text] == []


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("IBAN DE89 3704 0044 0532 0130 00, please", "IBAN [redacted: iban], please"),
        ("GB29NWBK60161331926819.", "[redacted: iban]."),
        ("not GB29NWBK60161331926818", "not GB29NWBK60161331926818"),
        ("call +49 30 12345678 or pay DE89370400440532013000", "call [redacted: phone] or pay [redacted: iban]"),
        ("https://bot:ghp_" + "a1B2" * 9 + "@github.com/a/b", "https://bot:[redacted: github token]@github.com/a/b"),
        ("password: ghp_" + "a1B2" * 9 + "!x", "password: [redacted: github token]"),
        ("<private>my card 4111 1111 1111 1111</private> ok", "[redacted: private] ok"),
        ("postgres://app:s3cr3t.Pa@db.example.org/x", "postgres://app:[redacted: password in url]@db.example.org/x"),
    ],
)
def test_of_matches_that_overlap_the_more_specific_is_named_and_the_longer_replaced(text: str, redacted: str) -> None:
    assert Redaction(tuple(ALL)).text(text, Counter()) == redacted


def test_keys_of_objects_say_what_is_a_secret() -> None:
    arguments = {
        "user": "bob",
        "password": "hunter2!",
        "note": 'say "hi"',
        "api_key": "it's a8f5f167f44f4964e6c998dee827110c",
    }
    message = Redaction(("secrets",)).message(
        NewMessage.model_validate(
            {"role": "assistant", "content": [{"type": "tool_call", "id": "c", "name": "n", "arguments": arguments}]}
        ),
        Counter(),
    )
    [call] = message.parts or ()
    assert isinstance(call, ToolCall)
    assert call.arguments["user"] == "bob"
    assert call.arguments["note"] == 'say "hi"'
    assert call.arguments["password"] == "[redacted: secret]"


@pytest.mark.slow
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
