"""Errors of the memory. Messages say what to do; `problem` is the stable name of an error in HTTP and `--json`."""

from typing import ClassVar

from foxing.renderer.errors import FoxingError


class MemoryFault(FoxingError):
    """Base class of the memory's errors."""

    #: Stable name, part of the problem type.
    problem: ClassVar[str] = "memory-fault"


class InvalidInput(MemoryFault):
    """The input is invalid; nothing was stored."""

    problem = "invalid-input"

    def __init__(self, reason: str, *, index: int | None = None) -> None:
        super().__init__(reason if index is None else f"messages[{index}]: {reason}")
        #: What is wrong and what to do, without the position.
        self.reason = reason
        #: Position of the offending message in the call; None if it is not one message's fault.
        self.index = index


class InvalidTime(InvalidInput):
    """A time is naive, cannot be read, or is in the future."""

    problem = "invalid-time"


class InvalidPolicy(InvalidInput):
    """An ageing policy is invalid."""

    problem = "invalid-policy"


class InvalidCursor(InvalidInput):
    """A cursor does not belong to this list."""

    problem = "invalid-cursor"


class MessageTooLarge(InvalidInput):
    """A message exceeds the maximum size."""

    problem = "message-too-large"


class NotFound(MemoryFault):
    """The bank, page or message does not exist."""

    problem = "not-found"


class Conflict(MemoryFault):
    """The id or the idempotency key was used for something else."""

    problem = "conflict"


class Forgotten(MemoryFault):
    """The memory no longer holds what was asked for."""

    problem = "forgotten"


class TimeTravelForbidden(MemoryFault):
    """`now` was given, and the settings do not allow it."""

    problem = "time-travel-forbidden"


class StorageError(MemoryFault):
    """The database cannot be used: it is read-only, full, locked or damaged. Committed data is intact."""

    problem = "storage"


class Closed(MemoryFault):
    """The memory was used after `Memory.close`."""

    problem = "closed"


class ConnectionLost(StorageError):
    """The server closed the connection in the middle of a transaction, of which all or nothing is stored."""


class WriteConflict(StorageError):
    """The server rolled a transaction back because of another one; the same again may succeed."""


class DatabaseTooNew(StorageError):
    """A newer version of Foxing wrote the database."""

    problem = "database-too-new"


class NoDatabase(StorageError):
    """There is no database, and none is created for a caller that only reads."""


class SearchIndexError(StorageError):
    """The search index does not exist or cannot be opened."""


class EmbedderError(MemoryFault):
    """The embedder cannot be used, or did not answer."""

    problem = "embedder"


class PoolError(MemoryFault):
    """The pool of workers cannot be used, or has failed."""

    problem = "pool"


class RerankerError(MemoryFault):
    """The reranker cannot be used, or did not answer."""

    problem = "reranker"


class Unreadable(MemoryFault):
    """A page cannot be read."""

    problem = "tokens-unreadable"


class TokensDamaged(Unreadable):
    """Stored vision tokens are damaged, or were written by other weights."""


class ReaderFailed(Unreadable):
    """The model or server that reads a page failed; the page is intact, and can be read later."""

    problem = "reader-failed"
