"""Errors of the memory. Each says what to do; `problem` is its stable name in HTTP and in `--json` output."""

from typing import ClassVar

from foxing.renderer import FoxingError


class MemoryFault(FoxingError):
    """Base of the errors of the memory."""

    problem: ClassVar[str] = "memory-fault"


class InvalidInput(MemoryFault):
    """What was given does not make sense; nothing was stored."""

    problem = "invalid-input"


class InvalidTime(InvalidInput):
    """A time that is naive, unreadable or in the future."""

    problem = "invalid-time"


class InvalidPolicy(InvalidInput):
    """An ageing policy that contradicts itself."""

    problem = "invalid-policy"


class InvalidCursor(InvalidInput):
    """A cursor that this list did not give out."""

    problem = "invalid-cursor"


class MessageTooLarge(InvalidInput):
    """A message over the size that is accepted."""

    problem = "message-too-large"


class NotFound(MemoryFault):
    """The bank, page or message does not exist."""

    problem = "not-found"


class Conflict(MemoryFault):
    """The id or the idempotency key was used for something else."""

    problem = "conflict"


class Forgotten(MemoryFault):
    """What was asked for existed, and the memory no longer holds it."""

    problem = "forgotten"


class TimeTravelForbidden(MemoryFault):
    """`now` was given where the settings do not allow it."""

    problem = "time-travel-forbidden"


class StorageError(MemoryFault):
    """The database cannot be used: read-only, full, locked or damaged. What was stored before is whole."""

    problem = "storage"


class DatabaseTooNew(StorageError):
    """The database was written by a newer version of Foxing."""

    problem = "database-too-new"


class Unreadable(MemoryFault):
    """A page cannot be read."""

    problem = "tokens-unreadable"


class TokensDamaged(Unreadable):
    """Stored vision tokens cannot be read: damaged, or written by other weights."""


class ReaderFailed(Unreadable):
    """A page could not be read this time: what reads it elsewhere failed. It is whole, and can be read later."""

    problem = "reader-failed"
