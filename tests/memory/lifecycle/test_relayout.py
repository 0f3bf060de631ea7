"""Relayout: moving a bank to a codec whose pages hold a quarter as much, and back, without loss."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL.Image import Image
from support.databases import execute
from support.hooked_codec import HookedCodec
from support.plugins import InstallPlugin

from foxing.encoder import CODECS, CodecOptions, CodecPlugin, Dependencies, Reading, TierSpec, TokensError, VisionTokens
from foxing.encoder.contract import UNREADABLE
from foxing.memory import Memory, TokensDamaged
from foxing.memory.storage.manifest import PageManifest
from foxing.renderer import render
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.page import BLANK, Cells
from foxing.renderer.repertoire import Repertoire
from foxing.renderer.tiers import TOKEN_SIDE_PX

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "message_ages")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
BANK = "ana"
ASCII = "".join(map(chr, range(0x20, 0x7F)))
REPERTOIRE = ASCII + "¶⇥▒⟦⟧⋯▶◆"
SENTENCE = "the battery test in a cold room took longer than planned so we moved it to the second week of March"
WORDS = SENTENCE.split()
MESSAGES = [
    f"Note {n}: {' '.join(WORDS[(n * 7 + k * 3) % len(WORDS)] for k in range(20))}.\nIt is {n * 13} of 점심; see "
    f"/srv/reports/{n:03d}/final-{n * 7919}.pdf"
    for n in range(56)
]


class Printed:
    """A codec for printed pages: its tokens are the image, and a cell is read as the nearest glyph. `blind`: it reads
    every character as unreadable."""

    name = "printed"
    weights = "printed-1"
    layout = PRINTED_PAGE
    repertoire: Repertoire | None = Repertoire(REPERTOIRE)
    context_rows: int | None = None

    def __init__(self, before_encode: Callable[[], None] = lambda: None, blind: bool = False) -> None:
        self._before_encode = before_encode
        self._blind = blind
        self.tiers = {
            tier: TierSpec(tier, self.layout.side_px(tier), self.layout.token_rows(tier) ** 2, 4096, "uint8", 0.5)
            for tier in ("large", "base", "small")
        }

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        self._before_encode()
        side = self.tiers[tier].side_px // TOKEN_SIDE_PX
        tokens = []
        for image in images:
            assert image.size == (self.tiers[tier].side_px,) * 2
            data = np.asarray(image.convert("L")).tobytes()
            tokens.append(VisionTokens(self.name, self.weights, tier, (side, side, 4096), "uint8", data))
        return tokens

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        return [self._read(item) for item in tokens]

    def _read(self, tokens: VisionTokens) -> Reading:
        if (tokens.codec, tokens.weights) != (self.name, self.weights):
            raise TokensError(f"these tokens were written by the codec '{tokens.codec}'")
        side = self.tiers[tokens.tier].side_px
        page = np.frombuffer(tokens.data, dtype=np.uint8).reshape(side, side)
        cells, sure = _read_cells(page, tokens.tier)
        if self._blind:
            cells = np.where(cells == BLANK, cells, np.uint32(UNREADABLE))
        return Reading(tokens.tier, cells, sure, 0.5)


def _cut(page: npt.NDArray[np.uint8], tier: str) -> npt.NDArray[np.float32]:
    """The cells of the page at 8×16 px, float32[rows · columns, 16 · 8]."""
    from PIL import Image as images

    size = (PRINTED_PAGE.columns * 8, PRINTED_PAGE.rows * 16)
    small = np.asarray(images.fromarray(page).resize(size, images.Resampling.BOX), dtype=np.float32)
    cut = small.reshape(PRINTED_PAGE.rows, 16, PRINTED_PAGE.columns, 8).transpose(0, 2, 1, 3)
    return cut.reshape(PRINTED_PAGE.cells, -1)


@lru_cache(maxsize=8)
def _glyphs(tier: str) -> npt.NDArray[np.float32]:
    """Each character of the repertoire drawn at `tier` between blank cells, float32[characters, 16 · 8]."""
    grid = np.full(PRINTED_PAGE.cells, BLANK, dtype=np.uint32)
    grid[: 4 * len(REPERTOIRE) : 4] = [ord(c) for c in REPERTOIRE]
    page = np.asarray(render(grid.reshape(PRINTED_PAGE.rows, -1), PRINTED_PAGE, tier))
    return _cut(page, tier)[: 4 * len(REPERTOIRE) : 4]


def _read_cells(page: npt.NDArray[np.uint8], tier: str) -> tuple[Cells, npt.NDArray[np.float32]]:
    seen, glyphs = _cut(page, tier), _glyphs(tier)
    distance = (seen**2).sum(1)[:, None] - 2 * seen @ glyphs.T + (glyphs**2).sum(1)[None]
    points = np.array([ord(c) for c in REPERTOIRE], dtype=np.uint32)[distance.argmin(1)]
    cells = np.where(points == 0x20, np.uint32(BLANK), points)
    shape = PRINTED_PAGE.rows, PRINTED_PAGE.columns
    return cells.reshape(shape), np.full(shape, 0.9, dtype=np.float32)


@pytest.fixture(autouse=True)
def _install_printed(install_plugin: InstallPlugin) -> None:
    """Installs the codec as one that needs an extra."""
    plugin = CodecPlugin(
        "printed", "For tests.", lambda device, options: Printed(), CodecOptions, needs=Dependencies("gpu", ())
    )
    install_plugin(CODECS, "printed", plugin)


class Bank:
    """A bank on disk, opened with one codec after another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.now = START + timedelta(hours=10)
        self._opened: list[Memory] = []

    def open(self, codec: Any = "native") -> Memory:
        memory = Memory(self.url, codec=codec, device="cpu", clock=lambda: self.now)
        self._opened.append(memory)
        return memory

    def close(self) -> None:
        for memory in self._opened:
            memory.close()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        tables = (
            "pages",
            "page_contents",
            "page_manifests",
            "keepsakes",
            "messages",
            "recent_postings",
            "posting_segments",
            "trash",
        )
        return {table: execute(self.url, f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables}


@pytest.fixture
def bank(database_url: str) -> Iterator[Bank]:
    opened = Bank(database_url)
    memory = opened.open()
    memory.store(
        BANK,
        [
            {
                "id": f"m{n}",
                "thread": "main" if n % 3 else "side",
                "role": "assistant" if n % 2 else "user",
                "content": content,
                "created_at": START + timedelta(minutes=n),
            }
            for n, content in enumerate(MESSAGES)
        ],
    )
    memory.seal(BANK)
    yield opened
    opened.close()


def texts(memory: Memory) -> dict[str, str]:
    return {span.message_id: span.text for span in memory.export(BANK)}


def stored() -> dict[str, str]:
    return {f"m{n}": content for n, content in enumerate(MESSAGES)}


@pytest.mark.slow
def test_kept_text_is_moved_exactly_onto_several_pages(bank: Bank) -> None:
    (before,) = bank.open().pages(BANK).pages
    memory = bank.open(Printed())
    planned = memory.operations.reencode(BANK, dry_run=True).reencoded
    report = memory.operations.reencode(BANK)
    (moved,) = report.reencoded
    assert (report.unreadable, report.busy, report.current) == ([], [], 0)
    assert (moved.page_id, moved.from_codec, moved.source, moved.tier) == (before.id, "native", "text", "base")
    found = memory.pages(BANK, limit=50).pages
    assert moved.pages == len(found) >= 3
    assert abs(planned[0].pages - moved.pages) <= 1
    assert before.id in {page.id for page in found}
    assert moved.bytes_after == sum(len(memory.page_tokens(BANK, page.id).to_bytes()) for page in found)
    for page in found:
        assert (page.text_kept, page.tier, page.vision_tokens, page.sealed_at) == (True, "base", 256, before.sealed_at)
        assert memory.page_tokens(BANK, page.id).codec == "printed"
    assert min(page.first_at for page in found) == before.first_at
    assert max(page.last_at for page in found) == before.last_at
    assert texts(memory) == stored()
    assert memory.recall(BANK, "점심 182").spans[0].text == MESSAGES[14]
    assert memory.bank(BANK).messages == len(MESSAGES)


@pytest.mark.slow
def test_a_message_split_by_a_page_break_keeps_its_keepsakes(bank: Bank) -> None:
    memory = bank.open(Printed())
    memory.operations.reencode(BANK)
    rows = bank.rows()
    parts: dict[int, list[tuple[int, int]]] = {}
    manifests = [PageManifest.unpack(bytes(row[2])) for row in rows["page_manifests"]]
    for place in (place for manifest in manifests for place in manifest.places):
        parts.setdefault(place.message_id, []).append((place.char_start, place.char_stop))
    assert any(len(found) > 1 for found in parts.values()), "no page ends in the middle of a message"
    lengths = {message.id: message.chars for manifest in manifests for message in manifest.messages}
    for message, found in parts.items():
        edges = sorted(found)
        assert (edges[0][0], edges[-1][1]) == (0, lengths[message])
        assert all(a[1] == b[0] for a, b in pairwise(edges))
    memory.age(BANK, now=START + 10 * DAY)
    assert {page.text_kept for page in memory.pages(BANK).pages} == {False}
    kept = "".join(str(row[4]) for row in rows["keepsakes"])
    assert len(kept) > 200
    for n, text in ((int(key[1:]), text) for key, text in texts(memory).items()):
        if f"{n * 7919}.pdf" in kept:
            assert text.endswith(f"final-{n * 7919}.pdf")


@pytest.mark.slow
def test_decoded_text_is_moved_as_it_was_read_and_back(bank: Bank) -> None:
    native = bank.open()
    bank.now = START + 10 * DAY
    native.age(BANK)
    bank.now += 8 * DAY  # past the undo window
    read = texts(native)
    kept = [row[4] for row in bank.rows()["keepsakes"]]
    printed = bank.open(Printed())
    report = printed.operations.reencode(BANK)
    assert [(page.source, page.tier) for page in report.reencoded] == [("decoded", "small")]
    moved = texts(printed)
    assert moved.keys() == read.keys()
    same = sum(a == b for key in read for a, b in zip(read[key].split(), moved[key].split(), strict=False))
    assert same >= 0.97 * sum(len(text.split()) for text in read.values())
    again = "".join(row[4] for row in bank.rows()["keepsakes"])
    assert sorted(again) == sorted("".join(kept))
    assert {span.source for span in printed.export(BANK)} == {"decoded"}
    assert [span.message_id for span in printed.recall(BANK, "Note 14").spans][:1] == ["m14"]

    back = bank.open()
    report = back.operations.reencode(BANK)
    assert len(report.reencoded) == len(back.pages(BANK).pages)
    assert {page.from_codec for page in report.reencoded} == {"printed"}
    assert (report.unreadable, report.busy) == ([], [])
    returned = texts(back)
    same = sum(a == b for key in read for a, b in zip(moved[key].split(), returned[key].split(), strict=False))
    assert same >= 0.95 * sum(len(text.split()) for text in moved.values())
    assert sorted("".join(row[4] for row in bank.rows()["keepsakes"])) == sorted("".join(kept))


@pytest.mark.slow
def test_a_second_run_has_nothing_to_do_and_a_dry_run_writes_nothing(bank: Bank) -> None:
    memory = bank.open(Printed())
    rows = bank.rows()
    memory.operations.reencode(BANK, dry_run=True)
    assert bank.rows() == rows
    memory.operations.reencode(BANK)
    rows = bank.rows()
    report = memory.operations.reencode(BANK)
    assert (report.reencoded, report.current) == ([], len(rows["pages"]))
    assert bank.rows() == rows


@pytest.mark.slow
def test_an_interrupted_run_leaves_the_page_intact_and_resumes(bank: Bank) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    stopped = bank.open(Printed(before_encode=stop))
    with pytest.raises(KeyboardInterrupt):
        stopped.operations.reencode(BANK)
    assert texts(stopped) == stored()
    memory = bank.open(Printed())
    assert len(memory.operations.reencode(BANK).reencoded) == 1
    assert texts(memory) == stored()


@pytest.mark.slow
def test_a_page_changed_meanwhile_is_busy_and_stays(bank: Bank) -> None:
    other = bank.open()
    (page,) = other.pages(BANK).pages
    memory = bank.open(Printed(before_encode=lambda: other.pin(BANK, page.id) and None))
    report = memory.operations.reencode(BANK)
    assert (report.reencoded, report.busy) == ([], [page.id])
    assert len(memory.pages(BANK).pages) == 1
    assert texts(memory) == stored()
    assert {page.pinned for page in bank.open(Printed()).pages(BANK).pages} == {True}
    bank.open(Printed()).operations.reencode(BANK)
    found = memory.pages(BANK).pages
    assert len(found) > 1
    assert {page.pinned for page in found} == {True}


@pytest.mark.slow
def test_a_page_stays_while_a_dropped_version_can_be_restored(bank: Bank) -> None:
    bank.now = START + 10 * DAY
    bank.open().age(BANK)
    memory = bank.open(Printed())
    (left,) = memory.operations.reencode(BANK).unreadable
    assert f"can be undone until {(bank.now + 7 * DAY).isoformat()}" in left.reason
    assert bank.rows()["trash"]
    bank.now += 8 * DAY
    assert len(memory.operations.reencode(BANK).reencoded) == 1
    assert bank.rows()["trash"] == []


@pytest.mark.slow
def test_a_tier_that_the_codec_lacks_becomes_the_next_sharper_one(bank: Bank) -> None:
    bank.now = START + 400 * DAY
    native = bank.open()
    native.age(BANK)
    assert {page.tier for page in native.pages(BANK).pages} == {"micro"}
    bank.now += 8 * DAY
    memory = bank.open(Printed())
    report = memory.operations.reencode(BANK)
    assert report.unreadable == []
    (moved,) = report.reencoded
    assert moved.tier == "small"
    assert {page.tier for page in memory.pages(BANK).pages} == {"small"}
    assert memory.age(BANK).moved == []


@pytest.mark.slow
def test_what_was_misread_stays_flagged_in_another_layout(bank: Bank) -> None:
    def alter(tokens: VisionTokens, reading: Reading) -> Reading:
        wrong = (reading.cells == ord("8")) & (tokens.tier == "small")
        return replace(reading, cells=np.where(wrong, np.uint32(ord("3")), reading.cells))

    bank.now = START + 10 * DAY
    bank.open(HookedCodec(alter=alter)).age(BANK)
    bank.now += 8 * DAY
    memory = bank.open(Printed())
    assert len(memory.operations.reencode(BANK).reencoded) == 1
    flagged = [s.text[a:b] for s in memory.export(BANK) for a, b, sure in s.uncertain if sure == 0]
    assert len(flagged) >= sum(content.split(":")[0].count("8") for content in MESSAGES) > 0


def test_a_page_that_the_new_codec_cannot_read_stays(bank: Bank) -> None:
    rows = bank.rows()
    memory = bank.open(Printed(blind=True))
    (left,) = memory.operations.reencode(BANK).unreadable
    assert "would lose 100% of its characters" in left.reason
    assert bank.rows() == rows


@pytest.mark.slow
def test_a_page_that_cannot_be_read_now_is_neither_moved_nor_aged(bank: Bank) -> None:
    bank.open(Printed()).operations.reencode(BANK)
    bank.now = START + 10 * DAY
    kept = bank.rows()
    report = bank.open(Printed(blind=True)).age(BANK)
    assert (report.moved, report.text_dropped, report.busy) == ([], [], [])
    assert {"are unreadable now" in left.reason for left in report.unreadable} == {True}
    assert bank.rows()["page_contents"] == kept["page_contents"], (
        "exact text is dropped although the tokens cannot be read"
    )
    assert bank.rows()["posting_segments"] == kept["posting_segments"]
    memory = bank.open(Printed())
    assert len(memory.age(BANK).moved) == len(report.unreadable)
    bank.now += 8 * DAY
    memory.age(BANK)
    rows = bank.rows()

    reads, blind = Printed.decode, Printed(blind=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Printed, "decode", lambda self, tokens: reads(blind, tokens))
        report_back = bank.open().operations.reencode(BANK)
    assert report_back.reencoded == []
    assert {"100% of this page cannot be read now" in left.reason for left in report_back.unreadable} == {True}
    assert bank.rows() == rows


@pytest.mark.slow
def test_dry_runs_report_what_is_done(bank: Bank) -> None:
    bank.now = START + 10 * DAY
    memory = bank.open(Printed())
    planned, done = memory.age(BANK, dry_run=True), memory.age(BANK)
    assert (planned.moved, planned.text_dropped) == (done.moved, done.text_dropped) == ([], [])
    assert planned.unreadable == done.unreadable
    assert "run foxing reencode" in done.unreadable[0].reason
    (left,) = memory.tick().unreadable[BANK]
    assert left.reason == done.unreadable[0].reason
    bank.open().age(BANK)
    dry, wet = memory.operations.reencode(BANK, dry_run=True), memory.operations.reencode(BANK)
    assert (dry.reencoded, wet.reencoded) == ([], [])
    assert dry.unreadable == wet.unreadable


@pytest.mark.slow
def test_pages_of_the_previous_codec_are_read_until_they_are_moved(bank: Bank) -> None:
    bank.now = START + 10 * DAY
    native = bank.open()
    native.age(BANK)
    read = texts(native)
    memory = bank.open(Printed())
    assert texts(memory) == read, "the native codec ships with the package"
    (page,) = memory.pages(BANK).pages
    assert memory.read_page(BANK, page.id).source == "decoded"
    assert memory.age(BANK, now=START + 40 * DAY).moved == []
    bank.now += 8 * DAY
    memory.operations.reencode(BANK)
    later = bank.open()
    span = later.message(BANK, "m3")
    assert (span.text, span.confidence) == ("", 0.0), "a large model is not loaded for reading"
    with pytest.raises(TokensDamaged, match=r"written by the codec 'printed': .* choose the codec 'printed'"):
        later.read_page(BANK, later.pages(BANK).pages[0].id)
