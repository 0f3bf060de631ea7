"""`foxing demo`: a year of conversation is remembered, fades, and is recalled from what is left."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import zstandard
from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from foxing.encoder import Codec
from foxing.memory import InvalidInput, Memory, NewMessage, PageInfo, RecalledMessage, RecallResult
from foxing.renderer import Entry, FoxingError, Page, Repertoire, Typesetter, grid_text, render, tier_rank

from .conversation import ENDS_AT, demo_conversation

BANK = "mina"
QUESTION = "3 weeks ago, what did we decide about project Titan?"
TIMEZONE = "Asia/Seoul"
STEP = timedelta(days=3)  # between two looks of the scheduler
SPANS_SHOWN = 5
ZSTD_LEVEL = 19

Advance = Callable[[datetime, int, int], None]


@dataclass
class Originals:
    """The pages as they were before they faded, typeset again from the messages that they hold."""

    messages: dict[str, NewMessage]  # by id, in time order
    typesetter: Typesetter
    pages: dict[str, Page] = field(default_factory=dict)
    _sealed_chars: dict[str, int] = field(default_factory=dict)

    @property
    def first_open(self) -> NewMessage | None:
        """The oldest message that is not sealed whole."""
        for key, message in self.messages.items():
            if self._sealed_chars.get(key, -1) < len(message.content):
                return message
        return None

    def add(self, info: PageInfo, keys: Sequence[str]) -> None:
        """A page just sealed, with the ids of its messages in time order."""
        entries = [self._entry(key) for key in keys]
        entries.sort(key=lambda entry: info.threads.index(entry.thread))
        page = self.typesetter.page(entries)
        if len(page.spans) != info.messages:
            raise FoxingError(
                f"page {info.id} holds {info.messages} messages, typeset again it takes {len(page.spans)}"
            )
        self._sealed_chars |= {span.message_id: span.char_stop for span in page.spans}
        self.pages[info.id] = page

    def _entry(self, key: str) -> Entry:
        message = self.messages[key]
        return Entry(
            message_id=key,
            role=message.role,
            content=message.content,
            created_at=message.created_at or ENDS_AT,
            thread=message.thread or "",
            name=message.name,
            skip_chars=self._sealed_chars.get(key, 0),
        )


@dataclass(frozen=True)
class TierRow:
    """The pages that ended at one tier. `accuracy`: 1 − Levenshtein distance / longer length, of what is read from
    the vision tokens alone against what was typeset, over all of their characters."""

    tier: str
    pages: int
    characters: int
    vision_tokens: int
    token_bytes: int
    zstd_bytes: int
    accuracy: float

    @property
    def bits_per_character(self) -> float:
        return self.token_bytes * 8 / self.characters


def run_demo(output: Path, console: Console, as_json: bool, messages: Sequence[NewMessage] | None = None) -> int:
    """Lives through the conversation (None: the demo's year), shows what became of it and answers a question.

    Writes `page-<tier>.png` and `page-<tier>.txt`, a page at every tier and what is read from it, into `output`.
    With `as_json` one document goes to stdout. Uses a database of its own, which is deleted. Returns 0. Raises
    `InvalidInput` when `output` cannot be written, `CodecError` when the codec cannot be loaded.
    """
    started = time.monotonic()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{output} cannot be made ({error.strerror}); choose another --output") from error
    said = list(messages if messages is not None else demo_conversation())
    clock = [said[0].created_at or ENDS_AT]
    with (
        tempfile.TemporaryDirectory(prefix="foxing-demo-") as folder,
        Memory(Path(folder) / "demo.db", clock=lambda: clock[0]) as memory,
    ):
        if not as_json:
            console.print(
                f"{len(said):,} messages of an agent and its user, "
                f"{said[0].created_at:%Y-%m-%d} to {ENDS_AT:%Y-%m-%d}: "
                "stored day by day, sealed onto pages, ageing.",
                soft_wrap=True,
            )
        notes = Console(stderr=True)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pages]} pages"),
            TimeElapsedColumn(), console=notes, transient=True, disable=not notes.is_terminal,
        ) as bar:  # fmt: skip
            task = bar.add_task("loading the codec", total=len(said), pages=0)

            def advance(now: datetime, done: int, pages: int) -> None:
                bar.update(task, description=f"{now:%Y-%m-%d}", completed=done, pages=pages)

            originals = _live(memory, said, clock, advance)
            bar.update(task, description="measuring")
            rows = _measure(memory, originals)
        answer = memory.recall(BANK, QUESTION, now=ENDS_AT, timezone=TIMEZONE, limit=SPANS_SHOWN)
        shown = _shown_page(memory, originals, answer)
        files = write_page(shown, memory.codec, output)
        seconds = time.monotonic() - started
        if as_json:
            _write_json(said, rows, answer, files, seconds)
        else:
            _show(console, rows, answer, files, seconds)
    return 0


def _live(memory: Memory, said: Sequence[NewMessage], clock: list[datetime], advance: Advance) -> Originals:
    """Stores each message in its time and lets the scheduler look every few days, up to the end."""
    codec = memory.codec
    originals = Originals(
        {message.id or "": message for message in said}, Typesetter(codec.layout, Repertoire(codec.repertoire))
    )
    stored = 0
    while clock[0] < ENDS_AT:
        clock[0] = min(clock[0] + STEP, ENDS_AT)
        batch = [m for m in said[stored:] if m.created_at is not None and m.created_at <= clock[0]]
        if batch:
            memory.store(BANK, batch)
            stored += len(batch)
        report = memory.tick()
        if report.failed_banks:
            raise FoxingError(f"ageing failed: {report.failed_banks[BANK]}")
        if report.sealed_pages:
            _keep_originals(memory, originals)
        advance(clock[0], stored, len(originals.pages))
    memory.seal(BANK)
    _keep_originals(memory, originals)
    return originals


def _keep_originals(memory: Memory, originals: Originals) -> None:
    """To be called while the new pages still have their text: nothing is decoded for it.

    A message that goes on on a page to come is open, and names no page yet: it is the first open one of the thread
    that the page ends with.
    """
    new = {page.id: page for page in _all_pages(memory) if page.id not in originals.pages}
    first = originals.first_open
    if not new or first is None:
        return
    keys: dict[str, list[str]] = {page_id: [] for page_id in new}
    open_keys: dict[str, str] = {}  # thread → its first open message
    cursor: str | None = None
    while True:
        found = memory.recall(BANK, since=first.created_at, limit=500, cursor=cursor)
        for span in found.spans:
            if span.source == "open":
                open_keys.setdefault(span.thread, span.message_id)
            for page_id in span.page_ids:
                if page_id in keys:
                    keys[page_id].append(span.message_id)
        cursor = found.next_cursor
        if cursor is None:
            break
    for page_id, page in new.items():
        cut = [open_keys[page.threads[-1]]] if len(keys[page_id]) < page.messages else []
        originals.add(page, keys[page_id] + cut)


def _all_pages(memory: Memory) -> list[PageInfo]:
    found = memory.pages(BANK, limit=500)
    pages = list(found.pages)
    while found.next_cursor is not None:
        found = memory.pages(BANK, limit=500, cursor=found.next_cursor)
        pages += found.pages
    return pages


def _measure(memory: Memory, originals: Originals) -> list[TierRow]:
    by_tier: dict[str, list[PageInfo]] = {}
    for page in _all_pages(memory):
        by_tier.setdefault(page.tier, []).append(page)
    rows = []
    for tier in sorted(by_tier, key=tier_rank):
        pages = by_tier[tier]
        tokens = [memory.page_tokens(BANK, page.id) for page in pages]
        read = [reading.text for reading in memory.codec.decode(tokens)]
        typeset = [grid_text(originals.pages[page.id].cells) for page in pages]
        longest = sum(max(len(a), len(b)) for a, b in zip(read, typeset, strict=True))
        wrong = sum(Levenshtein.distance(a, b) for a, b in zip(read, typeset, strict=True))
        whole = "\n".join(typeset).encode("utf-8", "surrogatepass")
        rows.append(
            TierRow(
                tier=tier,
                pages=len(pages),
                characters=sum(map(len, typeset)),
                vision_tokens=sum(page.vision_tokens for page in pages),
                token_bytes=sum(len(part.to_bytes()) for part in tokens),
                zstd_bytes=len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(whole)),
                accuracy=1 - wrong / longest,
            )
        )
    return rows


def _shown_page(memory: Memory, originals: Originals, answer: RecallResult) -> Page:
    """The page that the best answer stands on, else the fullest."""
    ids = [page_id for span in answer.spans for page_id in span.page_ids if page_id in originals.pages]
    return originals.pages[ids[0]] if ids else max(originals.pages.values(), key=lambda page: page.cells.size)


def write_page(page: Page, codec: Codec, output: Path) -> list[Path]:
    """Writes the page's image at each tier of `codec` beside the text that is read from its vision tokens."""
    files: list[Path] = []
    for tier in sorted(codec.tiers, key=tier_rank):
        image = render(page.cells, page.layout, tier)
        reading = codec.decode(codec.encode([image], tier))[0]
        rows = (grid_text(row[None, :]).rstrip() for row in reading.cells[: page.rows_used])
        picture, text = output / f"page-{tier}.png", output / f"page-{tier}.txt"
        try:
            image.save(picture)
            text.write_text("\n".join(rows) + "\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise InvalidInput(f"{picture} cannot be written ({error.strerror}); choose another --output") from error
        files += [picture, text]
    return files


def _show(
    console: Console, rows: Sequence[TierRow], answer: RecallResult, files: Sequence[Path], seconds: float
) -> None:
    table = Table(title="What is left of it", title_justify="left", caption_justify="left")
    for name in ("tier", "pages", "characters", "vision tokens", "token bytes", "zstd -19", "bits/char", "accuracy"):
        table.add_column(name, justify="left" if name == "tier" else "right")
    for row in rows:
        table.add_row(
            row.tier, str(row.pages), f"{row.characters:,}", f"{row.vision_tokens:,}", f"{row.token_bytes:,}",
            f"{row.zstd_bytes:,}", f"{row.bits_per_character:.2f}", f"{row.accuracy:.2%}",
        )  # fmt: skip
    console.print(table)
    console.print(
        "zstd -19: the same text, exact, compressed as a whole. Accuracy: 1 − Levenshtein / longer, read from the "
        "vision tokens alone, without keepsakes. A vision token is a unit of storage here, not of an LLM's context.\n",
        style="dim",
    )
    console.print(Text.assemble((f"> {QUESTION}", "bold")))
    for span in answer.spans:
        console.print(_span_text(span), soft_wrap=True)
    console.print(
        f"\n{len(files)} files in {files[0].parent}: a page at every tier, and what is read from it. "
        f"{seconds:.0f} s in all.",
        soft_wrap=True,
    )


def _span_text(span: RecalledMessage) -> Text:
    """The span with its runs that may be misread marked."""
    tier = f", {span.tier}" if span.tier else ""
    text = Text(f"\n{span.created_at.astimezone(ENDS_AT.tzinfo):%Y-%m-%d %H:%M} {span.name or span.role}", style="cyan")
    text.append(f"  {span.source}{tier}, confidence {span.confidence:.3f}\n", style="dim")
    body = Text(span.text, style="default")
    for start, stop, _ in span.uncertain:
        body.stylize("reverse", start, stop)
    return text.append_text(body)


def _write_json(
    said: Sequence[NewMessage], rows: Sequence[TierRow], answer: RecallResult, files: Sequence[Path], seconds: float
) -> None:
    tiers: list[dict[str, Any]] = [
        {**vars(row), "bits_per_character": round(row.bits_per_character, 3), "accuracy": round(row.accuracy, 5)}
        for row in rows
    ]
    document = {
        "messages": len(said),
        "pages": sum(row.pages for row in rows),
        "tiers": tiers,
        "question": QUESTION,
        "recall": answer.model_dump(mode="json"),
        "files": [str(path) for path in files],
        "seconds": round(seconds, 1),
    }
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
