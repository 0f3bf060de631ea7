"""Calls that take long, by the service that runs on the database: it has everything loaded, and its jobs outlive the
command."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from foxing.memory import Job, Value
from foxing.memory.values.jobs import WITHOUT_BANK

from .context import State

if TYPE_CHECKING:
    from .progress import Advance

WAIT_S = 1  # between two looks at the progress

R = TypeVar("R", bound=Value)


def done_by_service(
    state: State,
    bank: str | None,
    method: str,
    call: str,
    kind: type[R],
    progress: "Advance",
    options: Mapping[str, Any] | None = None,
) -> R | None:
    """Returns the result of a call of the service, following its job; None if the command has to do it itself, which
    completes what is missing: there is no service, or it refuses the call, fails or ends. `bank`: None for all banks.
    `call`: its path below that of the bank, empty for the bank itself. Ctrl-C cancels the job."""
    service = state.running_service()
    if service is None:
        return None
    base = "/v1" if bank is None else f"/v1/banks/{quote(bank, safe='')}"
    path = f"{base}/{call}" if call else base
    answer = service.call(method, f"{path}?wait={WAIT_S}", options)
    try:
        if answer is None or answer.status != HTTPStatus.ACCEPTED:
            return None if answer is None else kind.model_validate_json(answer.body)
        job = Job.model_validate_json(answer.body)
        if job.kind in WITHOUT_BANK:
            base = "/v1"
        try:
            while not job.is_over:
                if job.total:
                    progress(job.done, job.total)
                document = service.get(f"{base}/jobs/{job.id}?wait={WAIT_S}")
                if document is None:
                    return None
                job = Job.model_validate_json(document)
        except KeyboardInterrupt:
            service.delete(f"{base}/jobs/{job.id}")
            raise
    except ValueError:  # a service of another version, or one that refuses
        return None
    return job.result if isinstance(job.result, kind) else None
