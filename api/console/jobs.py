"""Work that a person starts in the console and that may take longer than a request."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock, Thread

from pydantic import BaseModel

from foxing.api.logs import get_logger
from foxing.memory import Access
from foxing.renderer import FoxingError, Progress

#: Jobs that are remembered, the newest.
KEPT = 100


@dataclass
class ConsoleJob:
    """Work in progress, or its result."""

    id: str
    #: Key of its name in the catalogue of strings.
    kind: str
    #: Full name of the bank; None for work in all banks of the caller.
    bank: str | None
    started_at: datetime
    done: int = 0
    total: int = 0
    report: BaseModel | None = None
    error: str | None = None
    ended: Event = field(default_factory=Event)
    #: Access of the person who started it.
    access: Access = field(default_factory=Access.current)

    def is_of(self, access: Access) -> bool:
        """Returns True if a job exists for a caller."""
        return self.access == access if self.bank is None else access.sees(self.bank)

    def advance(self, done: int, total: int) -> None:
        """Notes the progress."""
        self.done = done
        self.total = total


class ConsoleJobs:
    """Runs each job in a thread of its own, with the access of the person who starts it. The calls are atomic or
    resume, so that nothing is lost if the service ends meanwhile."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._jobs: OrderedDict[str, ConsoleJob] = OrderedDict()

    def start(self, kind: str, bank: str | None, call: Callable[[Progress], BaseModel]) -> ConsoleJob:
        """Starts a job. `call`: does the work and reports its progress."""
        job = ConsoleJob(secrets.token_hex(16), kind, bank, datetime.now(UTC))
        with self._lock:
            self._jobs[job.id] = job
            while len(self._jobs) > KEPT:
                self._jobs.popitem(last=False)
        Thread(target=copy_context().run, args=(self._run, job, call), name=f"console {kind}", daemon=True).start()
        return job

    def get(self, job_id: str) -> ConsoleJob | None:
        """Returns a job; None if there is none."""
        with self._lock:
            return self._jobs.get(job_id)

    @staticmethod
    def _run(job: ConsoleJob, call: Callable[[Progress], BaseModel]) -> None:
        try:
            job.report = call(job.advance)
        except FoxingError as error:
            job.error = str(error)
        except Exception:
            get_logger().exception("job of the console failed", kind=job.kind, bank=job.bank)
            job.error = "this is a bug in Foxing; see the log of the service"
        finally:
            job.ended.set()
