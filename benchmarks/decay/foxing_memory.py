"""Foxing as a memory of the benchmark, with the default policy or with every page at one tier."""

import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from foxing.memory import Memory, MemoryOptions
from foxing.memory.values.gap_marks import TEXT_GAP_MARK
from foxing.memory.values.messages import NewMessage, RecalledMessage

from .conversation import Message, Passage, Recalled

#: Maximum number of spans of an answer; more never fit a budget.
LIMIT = 200


class FoxingMemory:
    """A memory whose clock is that of the benchmark, so that the messages arrive when the last of them is said."""

    def __init__(self, options: MemoryOptions | None = None) -> None:
        """`options`: without recall weights, or else what is asked about at one age would fade later."""
        self._folder = tempfile.TemporaryDirectory(prefix="foxing-decay-")
        self._now = datetime.now(UTC)
        options = options or MemoryOptions(recall_weights=False)
        self.memory = Memory(Path(self._folder.name) / "decay.db", clock=lambda: self._now, options=options)

    def store(self, bank: str, messages: Sequence[Message]) -> None:
        """Stores a conversation."""
        self._now = messages[-1].created_at
        self.memory.store(bank, [_new(message) for message in messages])

    def pass_time(self, bank: str, now: datetime) -> bool:
        """Seals and ages what is due by `now`."""
        self._now = now
        changed = False
        before = self._state(bank)
        while True:
            self.memory.tick()
            if (after := self._state(bank)) == before:
                return changed
            before, changed = after, True

    def _state(self, bank: str) -> tuple[object, ...]:
        """Open messages, and pages by tier."""
        info = self.memory.bank(bank)
        return info.open_messages, {tier: held.pages for tier, held in info.tiers.items()}

    def recall(self, bank: str, question: str, max_tokens: int) -> Recalled:
        """Recalls by words and meaning."""
        found = self.memory.recall(bank, question, limit=LIMIT, max_tokens=max_tokens)
        return Recalled(found.rendered, [_passage(span) for span in found.spans])

    def export(self, bank: str) -> Iterable[Passage]:
        """Reads every message."""
        return [_passage(message) for message in self.memory.export(bank)]

    def bytes_held(self, bank: str) -> int:
        """Bytes of vision tokens, kept text and keepsakes."""
        held = self.memory.bank(bank).bytes
        return held.tokens + held.text + held.keepsakes

    def page_bytes(self, bank: str) -> list[int]:
        """Returns the bytes of the vision tokens of each page but the last, which may not be full."""
        sizes, cursor = [], None
        while True:
            part = self.memory.pages(bank, limit=200, cursor=cursor)
            sizes += [len(self.memory.page_tokens(bank, page.id).data) for page in part.pages]
            if (cursor := part.next_cursor) is None:
                return sizes[:-1]

    def close(self) -> None:
        """Closes the memory and removes its database."""
        self.memory.close()
        self._folder.cleanup()


class FoxingAtTier(FoxingMemory):
    """The same with every page at one tier as soon as time passes, drawn from the exact text."""

    def __init__(self, tier: str) -> None:
        super().__init__()
        self._tier = tier

    def store(self, bank: str, messages: Sequence[Message]) -> None:
        """Stores a conversation and seals it."""
        super().store(bank, messages)
        steps = [{"after": "PT1S", "tier": self._tier}]
        self.memory.set_policy(bank, {"steps": steps, "undo_window": "PT0S"})
        self.memory.seal(bank)

    def pass_time(self, bank: str, now: datetime) -> bool:
        """Ages all pages to the tier."""
        self._now = now
        self.memory.age(bank)
        return True


def _new(message: Message) -> NewMessage:
    return NewMessage(
        id=message.id,
        role=message.role,
        name=None if message.speaker == message.role else message.speaker,
        content=message.text,
        created_at=message.created_at,
        thread=message.thread or None,
    )


def _passage(span: RecalledMessage) -> Passage:
    return Passage(span.text, span.message_id, [(gap, gap + len(TEXT_GAP_MARK)) for gap in span.gaps])
