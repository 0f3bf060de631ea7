"""Errors of a memory, in process and behind a service alike. Messages say what to do."""

from foxing.renderer.errors import FoxingError, ProblemKind

from .problems import Problem


class MemoryFault(FoxingError):
    """Base class of the memory's errors."""

    #: What a service says of the failed request; None in process, and where no answer came.
    details: Problem | None = None


class InvalidInput(MemoryFault):
    """The input is invalid; nothing was stored."""

    kind = ProblemKind("invalid-input", 422, "The input is invalid")

    def __init__(self, reason: str, *, index: int | None = None) -> None:
        super().__init__(reason if index is None else f"messages[{index}]: {reason}")
        #: What is wrong and what to do, without the position.
        self.reason = reason
        #: Position of the offending message in the call; None if it is not one message's fault.
        self.index = index


class InvalidTime(InvalidInput):
    """A time is naive, cannot be read, or is in the future."""

    kind = ProblemKind("invalid-time", 422, "The time is invalid")


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


class Forgotten(MemoryFault):
    """The memory no longer holds what was asked for."""

    kind = ProblemKind("forgotten", 410, "The memory no longer holds this")


class TimeTravelForbidden(MemoryFault):
    """`now` was given, and the settings do not allow it."""

    kind = ProblemKind("time-travel-forbidden", 403, "Setting the time is not allowed")


class Unavailable(MemoryFault):
    """The memory, or what it needs, cannot be used at the moment."""


class StorageError(Unavailable):
    """The database cannot be used: it is read-only, full, locked or damaged. Committed data is intact."""

    kind = ProblemKind("storage", 503, "The database cannot be used")


class Closed(Unavailable):
    """The memory was used after `Memory.close`."""

    kind = ProblemKind("closed", 503, "The service is stopping")


class ConnectionLost(StorageError):
    """The server closed the connection in the middle of a transaction, of which all or nothing is stored."""


class WriteConflict(StorageError):
    """The server rolled a transaction back because of another one; the same again may succeed."""


class DatabaseTooNew(StorageError):
    """A newer version of Foxing wrote the database."""

    kind = ProblemKind("database-too-new", 503, "The database is from a newer version")


class NoDatabase(StorageError):
    """There is no database, and none is created for a caller that only reads."""


class SearchIndexError(StorageError):
    """The search index does not exist or cannot be opened."""


class EmbedderError(Unavailable):
    """The embedder cannot be used, or did not answer."""

    kind = ProblemKind("embedder", 503, "The embedder cannot be used")


class PoolError(Unavailable):
    """The pool of workers cannot be used, or has failed."""

    kind = ProblemKind("pool", 503, "The pool of workers cannot be used")


class RerankerError(Unavailable):
    """The reranker cannot be used, or did not answer."""

    kind = ProblemKind("reranker", 503, "The reranker cannot be used")


class Unreadable(MemoryFault):
    """A page cannot be read."""

    kind = ProblemKind("tokens-unreadable", 500, "The vision tokens cannot be read")


class TokensDamaged(Unreadable):
    """Stored vision tokens are damaged, or were written by other weights."""


class ReaderFailed(Unreadable, Unavailable):
    """The model or server that reads a page failed; the page is intact, and can be read later."""

    kind = ProblemKind("reader-failed", 503, "The page cannot be read at the moment")
