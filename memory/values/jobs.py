"""Jobs that a service carries out: imports, and calls that take longer than a request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Field, ValidationInfo

from foxing.memory.problems import Problem

from .base import FROM_SERVICE, OPEN, BankName, Value
from .imports import ImportReport
from .persons import PersonErasure
from .reports import AgeReport, ErasureReport, ReencodingReport, SealReport, UndoReport

JobKind = Annotated[
    Literal["import", "seal", "age", "undo", "reencode", "erase_thread", "erase_bank", "erase_person"], OPEN
]
JobState = Annotated[Literal["waiting", "running", "done", "failed", "cancelled", "stopped"], OPEN]
JobResult: TypeAlias = (
    SealReport | AgeReport | UndoReport | ReencodingReport | ErasureReport | ImportReport | PersonErasure
)

#: Kind of a job → its result.
RESULTS: Final[Mapping[str, type[Value]]] = {
    "import": ImportReport,
    "seal": SealReport,
    "age": AgeReport,
    "undo": UndoReport,
    "reencode": ReencodingReport,
    "erase_thread": ErasureReport,
    "erase_bank": ErasureReport,
    "erase_person": PersonErasure,
}
#: Kinds of jobs that belong to no bank.
WITHOUT_BANK: Final = frozenset({"erase_bank", "erase_person"})
#: States of a job that has not ended.
UNFINISHED: Final = ("waiting", "running")


def _of_kind(value: Any, info: ValidationInfo) -> Any:
    """Returns the fields of a result as a value of the kind of its job; None for a kind of a newer service."""
    if not isinstance(value, Mapping):
        return value
    result = RESULTS.get(str(info.data.get("kind")))
    if result is None:
        return None
    from_service = info.context is FROM_SERVICE
    return result.model_validate(value, extra="allow" if from_service else None, context=info.context)


class Job(Value):
    """A job. It continues whether or not a caller waits for it, and is resumed by another process if that of the
    service ends, but for an import, whose file went with the process."""

    id: str = Field(description="Id of the job.")
    bank: BankName | None = Field(
        description="Name of the bank; null for the erasure of what a person said in all banks."
    )
    kind: JobKind = Field(description="What it does: the call that started it.")
    state: JobState = Field(
        description="'waiting' to begin or to be resumed, 'running', 'done' (see `result`), 'failed' (see `error`), "
        "'cancelled', or 'stopped' for an import whose service ended. Until an erasure is 'done', messages that it has "
        "not reached can be recalled."
    )
    done: int = Field(description="Number of messages or pages that are complete since it last began.")
    total: int | None = Field(description="Number of them that it had to do then; null until it is known.")
    attempts: int = Field(
        description="Number of times that it began. Above 1 after a process ended; `done`, `total` and `result` are "
        "then of the last time, and what was complete before stays."
    )
    created_at: datetime = Field(description="Time of its acceptance.")
    started_at: datetime | None = Field(description="Time at which it first began; null if it has not.")
    ended_at: datetime | None = Field(description="Time of its end; null until then.")
    error: Problem | None = Field(description="Why it failed or stopped, as a problem document.")
    result: Annotated[JobResult | None, BeforeValidator(_of_kind)] = Field(
        description="What its call responds when it is complete at once; null until it is done. After the erasure of "
        "what a person said, `person` and `threads` are empty: what is erased is not kept here either."
    )

    @property
    def is_over(self) -> bool:
        """True if nothing more is done."""
        return self.state not in UNFINISHED


class Jobs(Value):
    """Jobs of a bank, the newest first."""

    jobs: list[Job] = Field(description="The jobs.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")
