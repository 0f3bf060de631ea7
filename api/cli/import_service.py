"""Imports by the service that runs on the database, which has everything loaded that an import needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from foxing.api.running_service import RunningService
from foxing.memory import InvalidInput

from .streams import is_stream

if TYPE_CHECKING:
    from foxing.memory import ImportJob, ImportQuery, ImportReport

    from .context import State

WAIT_S = 1  # between two looks at the progress


@dataclass(frozen=True)
class ImportService:
    """The service, the bank and the options of an import."""

    state: "State"
    #: None if no service runs on the database.
    service: RunningService | None
    bank: str
    query: "ImportQuery"

    @classmethod
    def of(cls, state: "State", bank: str, query: "ImportQuery") -> "ImportService":
        """Returns the service of the database."""
        return cls(state, state.running_service(), bank, query)

    def imported(self, path: Path) -> "ImportReport | None":
        """Imports a file through the service and returns the report; None if the command has to do it itself: there is
        no service, it is a folder or standard input, or the service refuses the file, fails or ends. What it had stored
        until then is not stored twice. Raises `InvalidInput` if the import was cancelled."""
        if self.service is None or is_stream(path) or not path.is_file():
            return None
        with self.state.progress(path.name) as progress:
            options = self.query.model_copy(update={"filename": path.name[:200]})
            fields = options.model_dump(by_alias=True, exclude_defaults=True)
            base = f"/v1/banks/{quote(self.bank, safe='')}/import"
            job = self._job(self.service.send_file(f"{base}?{urlencode(fields, doseq=True)}", path))
            try:
                while job is not None and job.state in ("waiting", "running"):
                    progress(job.done, max(job.messages, 1))
                    job = self._job(self.service.get(f"{base}/{job.id}?wait={WAIT_S}"))
            except KeyboardInterrupt:
                if job is not None:
                    self.service.delete(f"{base}/{job.id}")
                raise
            if job is None:
                return None
            if job.state == "cancelled":
                raise InvalidInput(
                    f"the import of {path} was cancelled after {job.done} of {job.messages} messages; run it again to "
                    "store the rest"
                )
            progress(max(job.messages, 1), max(job.messages, 1))
        return job.report

    @staticmethod
    def _job(answer: bytes | None) -> "ImportJob | None":
        from pydantic import ValidationError

        from foxing.memory import ImportJob

        try:
            return None if answer is None else ImportJob.model_validate_json(answer)
        except ValidationError:  # a service of another version
            return None
