"""Errors of a memory, in process or behind a service. Messages say what to do."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Self

from foxing.renderer.errors import REPAIR_S, FoxingError, ProblemKind
from foxing.renderer.errors import UnknownReader as UnknownReader

from .problems import Problem


class MemoryFault(FoxingError):
    """Base class of the memory's errors."""

    #: The problem document of a service; None in process, and if there was no response.
    details: Problem | None = None
    #: Names of options of the call that decide, such as "timezone". Each door adds to the message what it calls them.
    options: tuple[str, ...] = ()

    def asking(self, *options: str) -> Self:
        """Sets the options that decide, and returns this error."""
        self.options = options
        return self

    def at(self, place: str, sign: str = ": ") -> Self:
        """Returns the same error with a place and a sign before its message, instead of its position in a call."""
        placed = copy(self)
        reason = placed.reason if isinstance(placed, InvalidInput) else str(self)
        placed.args = (f"{place}{sign}{reason}",)
        if isinstance(placed, InvalidInput):
            placed.reason = placed.args[0]
            placed.index = None
        placed.__cause__ = self
        return placed


class InvalidInput(MemoryFault):
    """The input is invalid; nothing was stored."""

    kind = ProblemKind("invalid-input", 422, "The input is invalid")

    def __init__(self, reason: str, *, index: int | None = None) -> None:
        """`index`: position of the invalid message in the call."""
        super().__init__(reason if index is None else f"messages[{index}]: {reason}")
        #: The message of the error, without the position.
        self.reason = reason
        #: Position of the invalid message in the call; None if the error does not concern a single message.
        self.index = index


class InvalidBundle(InvalidInput):
    """A bundle is damaged, forged, of a newer version or of a codec that is not installed; nothing of it was stored."""

    kind = ProblemKind("invalid-bundle", 422, "The bundle cannot be imported")


class InvalidTime(InvalidInput):
    """A time is naive, cannot be parsed, or is in the future."""

    kind = ProblemKind("invalid-time", 422, "The time is invalid")


class ChoiceNeeded(InvalidInput):
    """The format or the dates of a history can be read in several ways; nothing was stored."""

    kind = ProblemKind("choice-needed", 422, "The history can be read in several ways")

    def __init__(self, reason: str, *, option: str = "format", choices: Sequence[str] = ()) -> None:
        """`option`: name of the option that decides. `choices`: values to choose from."""
        super().__init__(reason)
        self.option = option
        self.options = (option,)
        self.choices = tuple(choices)


class InvalidPolicy(InvalidInput):
    """An ageing policy is invalid."""

    kind = ProblemKind("invalid-policy", 422, "The policy is invalid")


class InvalidCursor(InvalidInput):
    """A cursor does not belong to this list."""

    kind = ProblemKind("invalid-cursor", 422, "The cursor does not belong to this list")


class MessageTooLarge(InvalidInput):
    """A message exceeds the maximum size."""

    kind = ProblemKind("message-too-large", 413, "The message is too large")


class NotFound(MemoryFault):
    """The bank, page or message does not exist."""

    kind = ProblemKind("not-found", 404, "Not found")


class Conflict(MemoryFault):
    """The id or the idempotency key was used for something else."""

    kind = ProblemKind("conflict", 409, "The id or key is already in use")


class Held(Conflict):
    """A legal hold keeps what was to be erased."""

    kind = ProblemKind("held", 409, "A legal hold keeps this")


class Forgotten(MemoryFault):
    """The memory no longer holds the requested data."""

    kind = ProblemKind("forgotten", 410, "The memory no longer holds this")


class TimeTravelForbidden(MemoryFault):
    """`now` was given, but the settings do not allow it."""

    kind = ProblemKind("time-travel-forbidden", 403, "Setting the time is not allowed")


class Forbidden(MemoryFault):
    """The key of the caller does not permit the call."""

    kind = ProblemKind("forbidden", 403, "The key does not permit this")


class LimitReached(MemoryFault):
    """The tenant of the caller has reached a limit of time; the call may succeed after a pause."""

    kind = ProblemKind("limit-reached", 429, "A limit is reached").after(1.0)


class QuotaReached(MemoryFault):
    """The bank is as full as the limits of its tenant allow; nothing was stored."""

    kind = ProblemKind("quota-reached", 413, "The bank is full")


class Unavailable(MemoryFault):
    """The memory or a component that it needs is temporarily unavailable."""

    kind = replace(FoxingError.kind, retry="later", retry_after_s=None)


class Busy(Unavailable):
    """Too much is in progress; nothing was done, and the call may succeed after a pause."""

    kind = ProblemKind("busy", 503, "Too many requests are in progress").after(1.0)


class StorageError(Unavailable):
    """The database cannot be used: it is read-only, full, locked or damaged. Committed data is intact."""

    kind = ProblemKind("storage", 503, "The database cannot be used", retry="later")


class Closed(Unavailable):
    """The memory was used after `Memory.close`."""

    kind = ProblemKind("closed", 503, "The service is stopping", retry="later")


class ConnectionLost(StorageError):
    """The server closed the connection during a transaction, which was either committed or rolled back."""


class WriteConflict(StorageError):
    """The server rolled back a transaction because of a conflict with another; a retry may succeed."""


class LockTimeout(StorageError):
    """Another transaction held a lock for too long, and the server rolled this one back; a retry may succeed."""


class DatabaseTooNew(StorageError):
    """A newer version of Foxing wrote or upgraded the database, so that this one may not use it."""

    kind = ProblemKind("database-too-new", 503, "The database is from a newer version").after(REPAIR_S)


class NoDatabase(StorageError):
    """The database does not exist, and a read-only caller does not create one."""


class SearchIndexError(StorageError):
    """The search index does not exist or cannot be opened."""


class EmbedderError(Unavailable):
    """The embedder cannot be used or did not respond."""

    kind = ProblemKind("embedder", 503, "The embedder cannot be used").after(REPAIR_S)


class PoolError(Unavailable):
    """The worker pool cannot be used or has failed."""

    kind = ProblemKind("pool", 503, "The worker pool cannot be used", retry="later")


class Unreadable(MemoryFault):
    """A page cannot be read."""

    kind = ProblemKind("tokens-unreadable", 500, "The vision tokens cannot be read")


class TokensDamaged(Unreadable):
    """Stored vision tokens are damaged or were written by other weights."""


class ReaderFailed(Unreadable, Unavailable):
    """The model or server that reads a page failed; the page is intact and can be read later."""

    kind = ProblemKind("reader-failed", 503, "The page cannot be read at the moment", retry="later")
