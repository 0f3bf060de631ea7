"""Statements that replace each other, planted in LoCoMo: which of a pair comes first, and which are linked.

Each conversation has one bank with the updates and one with the look-alikes, among the messages that it has anyway.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.command_line import Advance
from benchmarks.evidence import CATEGORIES
from benchmarks.locomo import Conversation, read_locomo
from foxing.memory import Memory
from foxing.memory.errors import InvalidInput
from foxing.memory.values.messages import RecalledMessage

from .pairs import SEED, Pair, Split, make_pairs

#: Spans of an answer: the default of recall.
SPANS = 20
#: Conversations that the rules were written on, in the order of the file; the others measure.
DEV_CONVERSATIONS = 2
MOST_BANKS = 2  # for the pairs of one sort and conversation
_KINDS = ("updates", "alike")


@dataclass(frozen=True)
class UpdatesRow:
    """Pairs of one split, with one embedder."""

    embedder: str
    split: str
    conversations: int
    updates: int
    #: Share of the updates whose newer message is among the spans and before the older one, asked what is so now.
    newest_first: float
    #: Share of the updates whose older message is among the spans and before the newer one, asked what was so before.
    older_first: float
    #: Share of the updates whose newer message is not among the spans, asked what is so now: they count as failed.
    newest_not_found: float
    #: Likewise of the older message, asked what was so before.
    older_not_found: float
    #: Share of the updates with both messages in either answer whose older message names the newer one.
    linked: float
    lookalikes: int
    #: Share of the look-alikes of which one is said to replace the other.
    lookalikes_linked: float
    #: Share of the look-alikes with both messages among the spans.
    lookalikes_found: float
    #: Share of the spans of the conversations' own questions, without planted messages, that are said to be replaced.
    others_linked: float


@dataclass(frozen=True)
class _Asked:
    """Answers to the questions about one pair."""

    now: Sequence[RecalledMessage]
    past: Sequence[RecalledMessage]
    pair: Pair

    def places(self, spans: Sequence[RecalledMessage]) -> tuple[int | None, int | None]:
        """Returns the places of the earlier and of the later message; None for one that is not there."""
        ids = [span.message_id for span in spans]
        found = (str(message.id) for message in (self.pair.earlier, self.pair.later))
        earlier, later = (ids.index(key) if key in ids else None for key in found)
        return earlier, later

    @property
    def found(self) -> bool:
        """True if an answer has both messages."""
        return any(None not in self.places(spans) for spans in (self.now, self.past))

    @property
    def linked(self) -> bool:
        """True if one of the messages is said to replace the other."""
        ids = {self.pair.earlier.id, self.pair.later.id}
        return any({span.message_id, span.superseded_by} == ids for spans in (self.now, self.past) for span in spans)


def measure_updates(
    memory: Memory, file: Path, embedder: str, split: Split, most: int, progress: Advance | None = None
) -> UpdatesRow:
    """Plants at most `most` pairs of each sort in the conversations of a split and asks for their values. `embedder`:
    its name, for the row. Raises `InvalidInput` for a file that is not LoCoMo or has too few conversations."""
    conversations = read_locomo(file)
    conversations = conversations[:DEV_CONVERSATIONS] if split == "dev" else conversations[DEV_CONVERSATIONS:]
    if not conversations:
        raise InvalidInput(f"{file.name} has no conversation of this split; take a file with more of them")
    chosen = [_chosen(conversations, split, kind, most) for kind in range(len(_KINDS))]
    asked: list[list[_Asked]] = [[], []]
    replaced: list[bool] = []
    for number, conversation in enumerate(conversations):
        for kind, name in enumerate(_KINDS):
            for time, pairs in enumerate(chosen[kind][number]):
                bank = f"{name}-{number}-{time}"
                memory.store(bank, [*conversation.messages, *(pair.later for pair in pairs)])
                asked[kind] += [_ask(memory, bank, pair) for pair in pairs]
        replaced += _replaced(memory, f"plain-{number}", conversation)
        if progress is not None:
            progress(number + 1, len(conversations))
    updates, alike = asked
    now = [update.places(update.now) for update in updates]
    past = [update.places(update.past) for update in updates]
    return UpdatesRow(
        embedder=embedder,
        split=split,
        conversations=len(conversations),
        updates=len(updates),
        newest_first=_share([_precedes(later, earlier) for earlier, later in now]),
        older_first=_share([_precedes(earlier, later) for earlier, later in past]),
        newest_not_found=_share([later is None for _, later in now]),
        older_not_found=_share([earlier is None for earlier, _ in past]),
        linked=_share([update.linked for update in updates if update.found]),
        lookalikes=len(alike),
        lookalikes_linked=_share([each.linked for each in alike]),
        lookalikes_found=_share([each.found for each in alike]),
        others_linked=_share(replaced),
    )


def _chosen(conversations: Sequence[Conversation], split: Split, kind: int, most: int) -> list[list[list[Pair]]]:
    """Returns at most `most` pairs: for each conversation, those of one bank after another, in which each message is
    the earlier one of a single pair. A second bank is used if the pairs of the first are too few."""
    chosen: list[list[list[Pair]]] = [[] for _ in conversations]
    left = most
    for time in range(MOST_BANKS):
        once = [
            {str(pair.earlier.id): pair for pair in make_pairs(conversation, split, time)[kind]}
            for conversation in conversations
        ]
        every = [(number, pair) for number, pairs in enumerate(once) for pair in pairs.values()]
        kept = every if len(every) <= left else random.Random(SEED).sample(every, left)
        for number, pairs in enumerate(chosen):
            pairs.append([pair for of, pair in kept if of == number])
        left -= len(kept)
        if not left:
            break
    return chosen


def _ask(memory: Memory, bank: str, pair: Pair) -> _Asked:
    now, past = (memory.recall(bank, question, limit=SPANS).spans for question in (pair.now, pair.past))
    return _Asked(now, past, pair)


def _replaced(memory: Memory, bank: str, conversation: Conversation) -> Iterator[bool]:
    """Yields for each span of the answers to the questions of a conversation whether it is said to be replaced."""
    memory.store(bank, conversation.messages)
    for question in conversation.questions:
        if question.category in CATEGORIES:
            for span in memory.recall(bank, question.text, limit=SPANS).spans:
                yield span.superseded_by is not None


def _precedes(first: int | None, second: int | None) -> bool:
    return first is not None and (second is None or first < second)


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0
