"""New weights, old tokens: a bank that the first weights wrote is read without more ado, and moved to the present ones.

`data/bank-first-weights.db` was written by `data/make_bank.py` with the first released weights; the JSON beside it has
the messages as they were stored and what those weights read from the pages.
"""

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL.Image import Image
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.encoder import Reading, ResizableCodec, VisionTokens, load_codec
from foxing.encoder.bench import accuracy
from foxing.encoder.contract import UNREADABLE
from foxing.memory import Memory, NotFound, ReencodingReport

DATA = Path(__file__).parents[2] / "data"
BANK = "ana"
END = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FACTS: dict[str, Any] = json.loads((DATA / "bank-first-weights.json").read_text(encoding="utf-8"))
TINY, SMALL, PINNED = FACTS["pages"]

#: One page at a time, so that there is a middle to be killed in.
REENCODE = """
import sys
from foxing.memory import Memory, reencoding
reencoding.BATCH = 1
memory = Memory(sys.argv[1], device="cpu")
memory.reencode("ana", progress=lambda done, total: print(done, flush=True))
"""


@pytest.fixture
def database(database_path: Path) -> Path:
    """The bank of the first weights."""
    shutil.copy(DATA / "bank-first-weights.db", database_path)
    return database_path


@pytest.fixture
def memory(database: Path) -> Iterator[Memory]:
    with Memory(database, device="cpu", clock=lambda: END) as opened:
        yield opened


def as_read(tokens: VisionTokens, reading: Reading) -> Reading:
    return reading


class Hooked:
    """The native codec, with something that happens before it encodes, or to what it reads."""

    def __init__(
        self,
        before_encode: Callable[[], None] = lambda: None,
        read: Callable[[VisionTokens, Reading], Reading] = as_read,
    ) -> None:
        codec = load_codec("native", "cpu")
        self._codec = codec
        self._before_encode = before_encode
        self._read = read
        self.name, self.weights, self.layout = codec.name, codec.weights, codec.layout
        self.repertoire, self.tiers, self.context_rows = codec.repertoire, codec.tiers, codec.context_rows

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        self._before_encode()
        return self._codec.encode(images, tier)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        return [self._read(*both) for both in zip(tokens, self._codec.decode(tokens), strict=True)]


class Cramped(Hooked):
    """A codec whose usual tokens of `tiny` are too small for the page: a row of what they hold is guessed wrong."""

    def __init__(self, tokens: dict[str, int] | None = None) -> None:
        native = load_codec("native", "cpu", {"token_bytes": tokens or {}})
        assert isinstance(native, ResizableCodec)
        present, usual = native.weights, load_codec("native", "cpu").tiers["tiny"].bytes_per_token

        def read(tokens: VisionTokens, reading: Reading) -> Reading:
            if (tokens.weights, tokens.tier, tokens.bytes_per_token) != (present, "tiny", usual):
                return reading
            cells = reading.cells.copy()
            cells[1] = ord("x")
            return replace(reading, cells=cells)

        super().__init__(read=read)
        self._codec = native
        self.sizes = native.sizes

    def sized(self, token_bytes: Mapping[str, int]) -> "Cramped":
        return Cramped(dict(token_bytes))


def execute(path: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).fetchall()


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that the database holds."""
    tables = ("pages", "page_contents", "spans", "keepsakes", "messages", "postings", "wastebasket")
    return {table: execute(path, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables}


def change_tokens(path: Path, page: str, change: Callable[[bytes], bytes]) -> None:
    """Changes the tokens of a page as no program of ours would: the version stays."""
    (found,) = execute(path, "SELECT id, tokens FROM pages JOIN page_contents ON page_id = id WHERE key = ?", page)
    execute(path, "UPDATE page_contents SET tokens = ? WHERE page_id = ?", change(found[1]), found[0])


def of_lost_weights(blob: bytes) -> bytes:
    return replace(VisionTokens.from_bytes(blob), weights="0" * 12).to_bytes()


def flipped(blob: bytes) -> bytes:
    middle = len(blob) // 2
    return blob[:middle] + bytes([blob[middle] ^ 4]) + blob[middle + 1 :]


def weights_of(memory: Memory) -> dict[str, str]:
    return {page.id: memory.page_tokens(BANK, page.id).weights for page in memory.pages(BANK).pages}


def exactness(memory: Memory) -> float:
    """How much of what was stored is remembered: the mean accuracy of the messages that are decoded."""
    stored = {message["id"]: message["content"] for message in FACTS["messages"]}
    spans = list(memory.export(BANK))
    assert {span.message_id for span in spans} == set(stored)
    for span in spans:
        if span.source != "decoded":
            assert span.text == stored[span.message_id]
    found = [accuracy(stored[span.message_id], span.text) for span in spans if span.source == "decoded"]
    return sum(found) / len(found)


def keys_of(report: ReencodingReport) -> list[str]:
    return [page.page_id for page in report.reencoded]


def test_old_tokens_are_read_and_recalled_as_ever(memory: Memory) -> None:
    assert set(weights_of(memory).values()) == {FACTS["weights"]} != {memory.codec.weights}
    for key, page in FACTS["pages"].items():
        reading = memory.read_page(BANK, key)
        assert (reading.tier, reading.source) == (page["tier"], "decoded")
        assert accuracy(page["text"], reading.text) >= 0.998
        assert reading.confidence == pytest.approx(page["confidence"], abs=0.002)
        assert memory.page_image(BANK, key).startswith(b"\x89PNG")
    assert exactness(memory) >= 0.98
    assert memory.recall(BANK, "which hotel near the beach?").spans[0].message_id == "travel-1-2"
    assert memory.recall(BANK, "해운대").spans[0].message_id == "travel-1-6"
    order = memory.message(BANK, "garden-0-5")
    assert (order.tier, order.source) == ("tiny", "decoded")
    assert "https://nursery.example/spring-2026 and closes on 2026-02-20." in order.text
    assert {image.page_id for image in memory.recall_images(BANK).images} == set(FACTS["pages"])


def test_what_may_be_misread_is_flagged_as_the_old_weights_did(database: Path) -> None:
    """A message decoded on demand is flagged as on its page, decoded whole, whatever the present thresholds are."""
    codec = Hooked()
    codec.tiers = {tier: replace(spec, flag_below=0.0) for tier, spec in codec.tiers.items()}
    flagged = 0
    with Memory(database, codec=codec, clock=lambda: END) as memory:
        for key in (TINY, SMALL):
            for part in memory.read_page(BANK, key).messages:
                held = memory.message(BANK, part.message_id)
                assert held.text == part.text
                assert [run[:2] for run in held.uncertain] == [run[:2] for run in part.uncertain]
                flagged += len(part.uncertain)
    assert flagged


def test_old_pages_age_into_the_present_weights(memory: Memory) -> None:
    report = memory.age(BANK, now=END + 400 * DAY)
    assert [move.page_id for move in report.moved] == [TINY, SMALL]
    assert report.busy == []
    weights = weights_of(memory)
    assert weights.pop(PINNED) == FACTS["weights"]
    assert set(weights.values()) == {memory.codec.weights}
    assert {memory.page(BANK, key).tier for key in weights} == {"micro"}
    assert exactness(memory) >= 0.5


def test_a_dry_run_tells_pages_and_bytes_and_does_nothing(memory: Memory, database: Path) -> None:
    before = rows_of(database)
    planned = memory.reencode(BANK, dry_run=True)
    assert rows_of(database) == before
    done = memory.reencode(BANK)
    assert (planned.dry_run, done.dry_run) == (True, False)
    assert keys_of(planned) == keys_of(done) == [TINY, SMALL, PINNED]
    assert planned.bytes_before == done.bytes_before == sum(len(row[1]) for row in before["page_contents"])
    assert planned.bytes_after == done.bytes_after
    assert planned.confidence_after is None
    assert {page.confidence_after for page in planned.reencoded} == {None}


def test_reencoding_keeps_the_text_and_all_that_belongs_to_it(memory: Memory, database: Path) -> None:
    pages = memory.pages(BANK).pages
    spans = {span.message_id: span for span in memory.export(BANK)}
    rows = rows_of(database)
    before = exactness(memory)
    steps: list[tuple[int, int]] = []

    report = memory.reencode(BANK, progress=lambda done, total: steps.append((done, total)))

    assert (report.bank, report.codec, report.weights) == (BANK, "native", memory.codec.weights)
    assert (report.current, report.busy, report.unreadable) == (0, [], [])
    assert steps == [(3, 3)]
    assert set(weights_of(memory).values()) == {memory.codec.weights}
    for old, new in zip(pages, memory.pages(BANK).pages, strict=True):
        changing = {"bytes", "confidence"}
        assert new.model_dump(exclude=changing) == old.model_dump(exclude=changing)
        assert memory.page_tokens(BANK, new.id).tier == new.tier
        assert memory.page_tokens(BANK, new.id).count == new.vision_tokens
        if not new.text_kept:
            assert new.confidence == memory.read_page(BANK, new.id).confidence
    for table in ("spans", "keepsakes", "wastebasket"):
        assert rows_of(database)[table] == rows[table], table
    assert exactness(memory) >= before - 0.02
    again = {span.message_id: span for span in memory.export(BANK)}
    assert {(k, s.source, s.tier) for k, s in again.items()} == {(k, s.source, s.tier) for k, s in spans.items()}
    kept = [accuracy(span.text, again[key].text) for key, span in spans.items() if span.source == "decoded"]
    assert sum(kept) / len(kept) >= 0.98
    assert "https://nursery.example/spring-2026 and closes on 2026-02-20." in again["garden-0-5"].text
    for page in report.reencoded:
        assert page.from_weights == FACTS["weights"]
        assert page.source == ("text" if page.page_id == PINNED else "decoded")
    assert report.bytes_after == sum(memory.page(BANK, key).bytes for key in keys_of(report)) - _besides_tokens(
        database
    )
    sure_before, sure_after = report.confidence_before, report.confidence_after
    assert sure_before is not None
    assert sure_after is not None
    assert sure_before == pytest.approx(sum(page.confidence for page in pages) / 3, abs=0.001)
    assert sure_after >= sure_before - 0.02


def _besides_tokens(path: Path) -> int:
    (kept,) = execute(path, "SELECT sum(text_bytes) FROM pages")[0]
    (keepsakes,) = execute(path, "SELECT sum(length(CAST(text AS BLOB))) FROM keepsakes")[0]
    return int(kept) + int(keepsakes)


def test_the_index_follows_what_is_read_now(memory: Memory, database: Path) -> None:
    memory.reencode(BANK)
    assert memory.recall(BANK, "which hotel near the beach?").spans[0].message_id == "travel-1-2"
    found = 0
    for span in memory.export(BANK):
        if span.source != "decoded":
            continue
        doubtful = {p for start, stop, _ in span.uncertain for p in range(start, stop)}
        for word in re.finditer(r"\b[a-z]{6,}\b", span.text):
            if span.text.lower().count(word[0]) > 1:
                continue
            holders = [item.message_id for item in memory.recall(BANK, word[0], limit=50).spans]
            assert (span.message_id in holders) == doubtful.isdisjoint(range(*word.span())), word[0]
            found += 1
    assert found > 20


def test_a_second_run_has_nothing_to_do(memory: Memory, database: Path) -> None:
    memory.reencode(BANK)
    rows = rows_of(database)
    for dry_run in (False, True):
        report = memory.reencode(BANK, dry_run=dry_run)
        assert (report.reencoded, report.current, report.bytes_after) == ([], 3, 0)
        assert (report.confidence_before, report.confidence_after) == (None, None)
    assert rows_of(database) == rows


def test_a_run_that_is_stopped_is_gone_on_with(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxing.memory.lifecycle.reencode.BATCH", 1)
    calls: list[None] = []

    def stop_at_the_second() -> None:
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with Memory(database, codec=Hooked(stop_at_the_second), clock=lambda: END) as memory:
        with pytest.raises(KeyboardInterrupt):
            memory.reencode(BANK)
        assert sorted(weights_of(memory).values()) == sorted([memory.codec.weights, *2 * [FACTS["weights"]]])
        assert exactness(memory) >= 0.97
        report = memory.reencode(BANK)
        assert (keys_of(report), report.current, report.busy) == ([SMALL, PINNED], 1, [])
        assert set(weights_of(memory).values()) == {memory.codec.weights}


def test_a_process_killed_in_the_middle_leaves_every_page_whole(database: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", REENCODE, str(database)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with Memory(database, device="cpu", clock=lambda: END) as memory:
        assert exactness(memory) >= 0.97
        for page in memory.pages(BANK).pages:
            tokens = memory.page_tokens(BANK, page.id)
            assert (tokens.tier, tokens.count) == (page.tier, page.vision_tokens)
        first = memory.reencode(BANK)  # a page may still be under the lease of the killed process
        assert first.current >= 1
        execute(database, "UPDATE pages SET lease_until = NULL, lease_owner = NULL")  # a minute later
        second = memory.reencode(BANK)
        assert keys_of(second) == first.busy
        assert first.current + len(first.reencoded) + len(second.reencoded) == 3
        assert set(weights_of(memory).values()) == {memory.codec.weights}
        assert exactness(memory) >= 0.97


def test_a_page_that_nothing_can_read_is_named_and_left(memory: Memory, database: Path) -> None:
    change_tokens(database, TINY, of_lost_weights)
    change_tokens(database, SMALL, flipped)
    before = execute(database, "SELECT tokens FROM page_contents ORDER BY page_id")
    for dry_run in (True, False):
        report = memory.reencode(BANK, dry_run=dry_run)
        assert keys_of(report) == [PINNED]
        reasons = {page.page_id: page.reason for page in report.unreadable}
        assert set(reasons) == {TINY, SMALL}
        assert "0" * 12 in reasons[TINY]
        assert "damaged" in reasons[SMALL]
    after = execute(database, "SELECT tokens FROM page_contents ORDER BY page_id")
    assert after[:2] == before[:2]
    assert after[2] != before[2]


@pytest.mark.parametrize("change", [of_lost_weights, flipped])
def test_kept_text_stands_in_for_tokens_that_cannot_be_read(
    memory: Memory, database: Path, change: Callable[[bytes], bytes]
) -> None:
    change_tokens(database, PINNED, change)
    assert keys_of(memory.reencode(BANK, dry_run=True)) == [TINY, SMALL, PINNED]
    report = memory.reencode(BANK)
    assert keys_of(report) == [TINY, SMALL, PINNED]
    assert report.reencoded[2].from_weights == (None if change is flipped else "0" * 12)
    assert accuracy(FACTS["pages"][PINNED]["text"], memory.read_page(BANK, PINNED).text) >= 0.97


def test_a_damaged_text_is_not_replaced_by_what_the_tokens_say(memory: Memory, database: Path) -> None:
    (text,) = execute(database, "SELECT text FROM page_contents WHERE text IS NOT NULL")[0]
    execute(database, "UPDATE page_contents SET text = ? WHERE text IS NOT NULL", flipped(text))
    report = memory.reencode(BANK)
    assert keys_of(report) == [TINY, SMALL]
    assert [page.page_id for page in report.unreadable] == [PINNED]
    assert weights_of(memory)[PINNED] == FACTS["weights"]


def test_a_pinned_page_without_text_is_written_anew_and_stays_pinned(memory: Memory) -> None:
    memory.pin(BANK, TINY)
    assert TINY in keys_of(memory.reencode(BANK))
    page = memory.page(BANK, TINY)
    assert (page.tier, page.pinned, page.text_kept) == ("tiny", True, False)


def test_a_page_that_changes_meanwhile_is_left_for_the_next_run(database: Path) -> None:
    def pin() -> None:
        with Memory(database, clock=lambda: END) as other:
            other.pin(BANK, SMALL)

    with Memory(database, codec=Hooked(pin), clock=lambda: END) as memory:
        report = memory.reencode(BANK)
        assert (keys_of(report), report.busy) == ([TINY, PINNED], [SMALL])
        assert memory.page(BANK, SMALL).pinned
        assert keys_of(memory.reencode(BANK)) == [SMALL]


def test_a_page_that_the_present_weights_could_not_read_keeps_its_tokens(database: Path) -> None:
    present = load_codec("native", "cpu").weights

    def unread(tokens: VisionTokens, reading: Reading) -> Reading:
        if (tokens.weights, tokens.tier) != (present, "tiny"):
            return reading
        cells = np.full_like(reading.cells, UNREADABLE)
        return replace(reading, cells=cells, confidence=np.zeros_like(reading.confidence))

    with Memory(database, codec=Hooked(read=unread), clock=lambda: END) as memory:
        report = memory.reencode(BANK)
        assert keys_of(report) == [SMALL, PINNED]
        assert [page.page_id for page in report.unreadable] == [TINY]
        assert "'tiny'" in report.unreadable[0].reason
        assert weights_of(memory)[TINY] == FACTS["weights"]
        assert accuracy(FACTS["pages"][TINY]["text"], memory.read_page(BANK, TINY).text) >= 0.998


def test_a_page_that_would_lose_by_it_gets_larger_tokens(database: Path) -> None:
    with Memory(database, codec=Cramped(), clock=lambda: END) as memory:
        report = memory.reencode(BANK)
        assert keys_of(report) == [TINY, SMALL, PINNED]
        usual = memory.codec.tiers["tiny"].bytes_per_token
        assert memory.page_tokens(BANK, TINY).bytes_per_token > usual
        assert accuracy(FACTS["pages"][TINY]["text"], memory.read_page(BANK, TINY).text) >= 0.99


def test_a_bank_that_is_not_there_has_nothing_to_reencode(memory: Memory) -> None:
    with pytest.raises(NotFound):
        memory.reencode("nobody")


def run(database: Path, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["--database", str(database), "reencode", *arguments])


def test_the_command_moves_all_banks(database: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with Memory(database, device="cpu") as memory:
        memory.store("bo", [{"role": "user", "content": "hello", "created_at": END - 40 * DAY}])
        memory.seal("bo")
    preview = run(database, "--dry-run", "--json")
    assert preview.exit_code == 0, preview.output
    banks = {report["bank"]: report for report in json.loads(preview.stdout)["banks"]}
    assert [(name, len(banks[name]["reencoded"]), banks[name]["current"]) for name in ("ana", "bo")] == [
        ("ana", 3, 0),
        ("bo", 0, 1),
    ]
    shown = run(database, "--dry-run")
    assert "3 pages would be reencoded" in shown.stdout

    done = run(database, "--bank", BANK)
    assert done.exit_code == 0, done.output
    assert "3 pages reencoded" in done.stdout
    again = run(database, "--json")
    assert again.exit_code == 0
    assert [len(report["reencoded"]) for report in json.loads(again.stdout)["banks"]] == [0, 0]


def test_the_command_says_what_is_left(database: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    change_tokens(database, TINY, of_lost_weights)
    assert run(database, "--dry-run").exit_code == 0
    done = run(database)
    assert done.exit_code == 1
    assert f"page {TINY} is left as it is" in done.stdout
    assert "2 pages reencoded" in done.stdout
    left = run(database, "--json")
    assert left.exit_code == 1
    assert [page["page_id"] for page in json.loads(left.stdout)["banks"][0]["unreadable"]] == [TINY]
    unknown = run(database, "--bank", "nobody", "--json")
    assert unknown.exit_code == 1
    assert json.loads(unknown.stderr)["type"] == "urn:foxing:problem:not-found"
