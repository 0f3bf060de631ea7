"""Search over all banks, the banks with the newest messages first, in parts that are shown one after the other."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foxing.memory import RELEVANCE_FLOOR, BankEnd, InvalidCursor, Memory, NotFound, RecalledMessage

#: Seconds after which a part ends with the bank that is being searched.
PART_S = 0.4
#: Banks with matches after which a part ends, and the messages that are shown of each.
BANKS_FOUND = 12
FOUND_PER_BANK = 3


@dataclass(frozen=True)
class FoundInBanks:
    """A part of the matches in all banks."""

    #: Bank → its best matches.
    banks: dict[str, list[RecalledMessage]]
    #: Number of banks that this part and those before it have searched, and of all banks that have messages.
    searched: int
    total: int
    #: Cursor of the next part; None at the end.
    next_cursor: str | None

    def json(self) -> dict[str, Any]:
        """Returns it as the HTTP interface shows values."""
        matches = [
            {"bank": bank, "spans": [span.model_dump(mode="json") for span in spans]}
            for bank, spans in self.banks.items()
        ]
        return {"banks": matches, "searched": self.searched, "total": self.total, "next_cursor": self.next_cursor}


def search_banks(memory: Memory, query: str, cursor: str | None, gap_mark: str) -> FoundInBanks:
    """Returns what is relevant to a query in the banks after `cursor`, for as long as a part lasts. A bank to which
    messages are added meanwhile may be missing. Does not change recall weights. Raises `InvalidCursor`, and the errors
    of `Memory.recall`."""
    ends = memory.operations.newest_banks()
    first = _place_after(ends, cursor) if cursor else 0
    until = time.monotonic() + PART_S
    matches: dict[str, list[RecalledMessage]] = {}
    searched = first
    for end in ends[first:]:
        searched += 1
        try:
            spans = memory.recall(
                end.bank,
                query=query,
                limit=FOUND_PER_BANK,
                gap_mark=gap_mark,
                min_relevance=RELEVANCE_FLOOR,
                track=False,
            ).spans
        except NotFound:  # erased meanwhile
            continue
        if spans:
            matches[end.bank] = spans
        if len(matches) == BANKS_FOUND or time.monotonic() >= until:
            break
    following = None
    if searched < len(ends):
        last = ends[searched - 1]
        following = f"{last.last_at.isoformat()} {last.bank}"
    return FoundInBanks(matches, searched, len(ends), following)


def _place_after(ends: Sequence[BankEnd], cursor: str) -> int:
    """Returns the place of the first bank after a cursor. Raises `InvalidCursor`."""
    at, _, bank = cursor.partition(" ")
    try:
        last_at = datetime.fromisoformat(at)
        return sum(end.last_at > last_at or (end.last_at == last_at and end.bank <= bank) for end in ends)
    except (ValueError, TypeError) as error:
        raise InvalidCursor("this cursor is invalid; pass next_cursor as you received it, or leave it out") from error
