"""Weights other than the present ones, a codec that reads the tokens of both, and a bank that the others wrote."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file

from foxing.encoder import Reading, VisionTokens
from foxing.encoder.bench import accuracy
from foxing.encoder.native.codec import NativeCodec
from foxing.encoder.native.weights import WEIGHTS_PATH
from foxing.memory import Memory, ReencodingReport

from .databases import store_whole_texts
from .hooked_codec import HookedCodec

BANK = "ana"
END = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)

#: First message's time, thread and texts of each page; the last page stays open. User and assistant take turns.
PAGES: Sequence[tuple[datetime, str, Sequence[str]]] = (
    (
        datetime(2026, 2, 2, 9, 0, tzinfo=UTC),
        "garden",
        (
            "I want to plant something along the north wall this spring. It gets two hours of sun at most.",
            "Ferns and hostas do well there, and a climbing hydrangea covers a wall of that height in about six years.",
            "How far from the foundation should the hydrangea stand, and does it need a trellis?",
            "Half a metre is enough. It holds on to brick by itself, but tie the first shoots for two seasons.",
            "Good. The nursery on Mill Road has them for 24 euros each, so I will take three on Saturday.",
            "Remember to soak the roots overnight. The order form is at https://nursery.example/spring-2026 and closes "
            "on 2026-02-20.",
            "엄마가 작년에 심은 수국은 물을 너무 많이 줘서 뿌리가 썩었다고 하셨어요.",
            "그러면 배수가 잘 되도록 바닥에 자갈을 먼저 깔고 흙을 덮으세요. 물은 일주일에 두 번이면 충분합니다.",
        ),
    ),
    (
        datetime(2026, 2, 26, 14, 30, tzinfo=UTC),
        "travel",
        (
            "Please plan the trip to Busan: we are four people, and my brother cannot climb stairs.",
            "The train from Seoul takes two hours and forty minutes. Car 8 has places for wheelchairs beside two "
            "seats.",
            "Book that one. Which hotel did we like last time, the one near the beach with the small library?",
            "That was the Harbour House. It has a lift, and the breakfast room is on the ground floor.",
            "Then two rooms there from Thursday to Sunday. My booking code is BH-77120-KX.",
            "Done. They expect you after three in the afternoon and keep a parking place until six.",
            "토요일 저녁에는 해운대에서 회를 먹고 싶은데 조용한 식당을 알고 있나요?",
            "시장 뒤에 있는 작은 식당을 추천합니다. 일곱 시로 예약하면 창가 자리를 받을 수 있어요.",
        ),
    ),
    (
        datetime(2026, 3, 9, 8, 15, tzinfo=UTC),
        "work",
        (
            "The import of the old invoices stops after 4,000 rows, always at the same place.",
            "Row 4,001 has a date without a year. I skip such rows now and write them to a separate file.",
            "Fine, but tell the accountants which ones they are. Keller needs the list before the audit on 27 March.",
            "She has it: eleven rows, all from the branch in Graz, and she will ask them for the missing years.",
        ),
    ),
    (
        datetime(2026, 3, 12, 10, 0, tzinfo=UTC),
        "work",
        (
            "Graz has answered: nine of the eleven invoices are from 2019, two cannot be found.",
            "I filled in the nine and left the two in the list, with a note for Keller.",
        ),
    ),
)


def write_other_weights(path: Path) -> None:
    """Writes the present weights with a note in their metadata: another file, so another digest."""
    with safe_open(WEIGHTS_PATH, framework="pt") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    info = json.loads(metadata["info"]) | {"note": "other weights"}
    save_file(tensors, path, metadata | {"info": json.dumps(info)})


class BothWeights(HookedCodec):
    """Encodes with the present weights, and decodes tokens of those and of `other`."""

    def __init__(self, other: NativeCodec, **hooks: Any) -> None:
        super().__init__(**hooks)
        self.other = other

    def _decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        codecs = [self.other if item.weights == self.other.weights else self.codec for item in tokens]
        return [codec.decode([item])[0] for codec, item in zip(codecs, tokens, strict=True)]


class LossyTinyTokens(BothWeights):
    """A codec whose `tiny` tokens do not hold what is drawn: one row is misread."""

    def __init__(self, other: NativeCodec) -> None:
        super().__init__(other, alter=self._misread)

    def _misread(self, tokens: VisionTokens, reading: Reading) -> Reading:
        if (tokens.weights, tokens.tier) != (self.weights, "tiny"):
            return reading
        cells = reading.cells.copy()
        cells[1] = ord("x")
        return replace(reading, cells=cells)


@dataclass(frozen=True)
class StoredPage:
    """A page of the sample bank as the other weights read it."""

    id: str
    text: str
    confidence: float


@dataclass(frozen=True)
class SampleBank:
    """A bank that the other weights wrote: a page at `tiny` and one at `small` without their text, a pinned one with
    it, an open page, and in the trash what ageing dropped last."""

    database: Path
    codec: NativeCodec
    tiny: StoredPage
    small: StoredPage
    pinned: StoredPage

    @property
    def weights(self) -> str:
        return self.codec.weights

    @property
    def pages(self) -> list[StoredPage]:
        return [self.tiny, self.small, self.pinned]

    @property
    def page_ids(self) -> list[str]:
        return [page.id for page in self.pages]

    def at(self, database: Path) -> "SampleBank":
        """A copy of the bank in the file `database`."""
        database.write_bytes(self.database.read_bytes())
        return replace(self, database=database)

    def open(self, codec: Any = None) -> Memory:
        """The bank opened with `codec`, by default one that reads the tokens of both weights."""
        chosen = BothWeights(self.codec) if codec is None else codec
        return Memory(self.database, codec=chosen, device="cpu", clock=lambda: END)

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows that an SQL statement returns."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Table → its rows."""
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
        return {table: self.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables}

    def change_tokens(self, page: StoredPage, change: Callable[[bytes], bytes]) -> None:
        """Changes stored tokens behind the memory's back: the version of the page stays."""
        (row,) = self.execute("SELECT id, tokens FROM pages JOIN page_contents ON page_id = id WHERE key = ?", page.id)
        self.execute("UPDATE page_contents SET tokens = ? WHERE page_id = ?", change(row[1]), row[0])


def messages_of(page: int) -> list[dict[str, Any]]:
    """The messages of a page, to be stored."""
    first, thread, texts = PAGES[page]
    return [
        {
            "id": f"{thread}-{page}-{number}",
            "thread": thread,
            "role": "assistant" if number % 2 else "user",
            "content": text,
            "created_at": first + timedelta(minutes=3 * number),
        }
        for number, text in enumerate(texts)
    ]


def build_sample_bank(database: Path, codec: NativeCodec) -> SampleBank:
    """Writes the bank through a `Memory` with `codec`, in a file without a write-ahead log."""
    clock = PAGES[0][0]
    with Memory(database, codec=codec, clock=lambda: clock) as memory:
        for number, (first, _, _) in enumerate(PAGES):
            clock = first + timedelta(hours=1)
            memory.store(BANK, messages_of(number))
            if number < len(PAGES) - 1:
                memory.seal(BANK)
                memory.age(BANK)
        memory.pin(BANK, memory.pages(BANK).pages[-1].id)
        store_whole_texts(f"sqlite:///{database}", memory)  # which is read without the other weights
        clock = END
        memory.age(BANK)
        readings = [memory.read_page(BANK, page.id) for page in memory.pages(BANK).pages]
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return SampleBank(database, codec, *(StoredPage(r.page_id, r.text, r.confidence) for r in readings))


def of_unknown_weights(blob: bytes) -> bytes:
    """The tokens with a digest of weights that no codec has."""
    return replace(VisionTokens.from_bytes(blob), weights="0" * 12).to_bytes()


def flipped(blob: bytes) -> bytes:
    """The bytes with one bit flipped."""
    middle = len(blob) // 2
    return blob[:middle] + bytes([blob[middle] ^ 4]) + blob[middle + 1 :]


def weights_of(memory: Memory) -> dict[str, str]:
    """Page id → digest of the weights that wrote its tokens."""
    return {page.id: memory.page_tokens(BANK, page.id).weights for page in memory.pages(BANK).pages}


def exactness(memory: Memory) -> float:
    """Mean accuracy of the messages that are decoded; asserts that all messages are there and kept ones are exact."""
    stored = {message["id"]: message["content"] for number in range(len(PAGES)) for message in messages_of(number)}
    spans = list(memory.export(BANK))
    assert {span.message_id for span in spans} == set(stored)
    for span in spans:
        if span.source != "decoded":
            assert span.text == stored[span.message_id]
    found = [accuracy(stored[span.message_id], span.text) for span in spans if span.source == "decoded"]
    return sum(found) / len(found)


def reencoded_ids(report: ReencodingReport) -> list[str]:
    return [page.page_id for page in report.reencoded]
