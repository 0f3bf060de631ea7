"""Places of the turns of a request: which are known from earlier calls, and which are new."""

import hashlib
from collections.abc import Sequence

from .journal import TurnJournal, TurnPlace
from .turns import WireTurn

_PREFIX_BYTES = 16


def start(bank: str, thread: str | None) -> TurnPlace:
    """Returns the place before the first turn. `thread`: that of the caller; None if it follows from the first turn."""
    seed = hashlib.sha256(f"{bank}\n{thread or ''}".encode()).digest()[:_PREFIX_BYTES]
    return TurnPlace(seed, thread or "", -1)


def following(before: TurnPlace, turn: WireTurn) -> TurnPlace:
    """Returns the place of a new turn after another."""
    prefix = hashlib.sha256(before.prefix + turn.digest).digest()[:_PREFIX_BYTES]
    return TurnPlace(prefix, before.thread or f"chat-{prefix.hex()[:16]}", before.position + 1)


def places(journal: TurnJournal, turns: Sequence[WireTurn], before: TurnPlace) -> list[tuple[TurnPlace, bool]]:
    """Returns the place of each turn, and whether it is known.

    A turn is known by its content and everything before it. Callers also leave out the beginning of a history, or its
    tools, or put a summary in their place: then a turn is found again by its content, further on in its thread. The
    newest turn is never looked for in this way, since the same may be said twice.
    """
    found: list[tuple[TurnPlace, bool]] = []
    at = before
    is_in_thread = before.position >= 0
    for number, turn in enumerate(turns):
        place = following(at, turn)
        known = journal.place(place.prefix)
        if known is None and number < len(turns) - 1:
            known = _later(journal, turn, at) if is_in_thread else _anywhere(journal, turn, turns[number + 1])
        is_in_thread = is_in_thread or known is not None
        at = known or place
        found.append((at, known is not None))
    return found


def _later(journal: TurnJournal, turn: WireTurn, at: TurnPlace) -> TurnPlace | None:
    return next(iter(journal.later(turn.digest, at.thread, at.position)), None)


def _anywhere(journal: TurnJournal, turn: WireTurn, then: WireTurn) -> TurnPlace | None:
    """Returns the place of a turn of any thread in which the next one was said later as well."""
    for candidate in journal.later(turn.digest, None, -1):
        if journal.later(then.digest, candidate.thread, candidate.position):
            return candidate
    return None
