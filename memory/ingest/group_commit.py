"""Group commit: what several threads want to write at once goes into one transaction.

A transaction costs a flush of the log to disk, and in PostgreSQL a message to the server and back for each statement.
While one thread writes, the requests of the others gather, and the next of them writes them all.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

from foxing.memory.errors import MemoryFault, StorageError

R = TypeVar("R")  # a request
A = TypeVar("A")  # its answer


class _Ticket(Generic[R, A]):
    """A request, from when it is given to when it is answered."""

    def __init__(self, request: R) -> None:
        self.request = request
        self.answer: A | None = None
        self.error: BaseException | None = None
        #: Whether `called` means that its thread has to write, rather than that it is answered.
        self.leads = False
        self.called = Event()


class GroupCommit(Generic[R, A]):
    """Hands requests of any number of threads to `write`, some at a time, from one thread at a time.

    `write`: writes a group in one transaction and returns an answer, or the error of that request alone, for each.
    Raises what fails them all. `choose`: how many of the waiting requests, at least one and the first of them, can be
    written together.
    """

    def __init__(
        self,
        write: Callable[[Sequence[R]], Sequence[A | MemoryFault]],
        choose: Callable[[Sequence[R]], int],
    ) -> None:
        self._write = write
        self._choose = choose
        self._lock = Lock()
        self._waiting: deque[_Ticket[R, A]] = deque()
        self._writing = False

    def submit(self, request: R) -> A:
        """The answer to a request, once it is committed. Raises its error."""
        ticket: _Ticket[R, A] = _Ticket(request)
        with self._lock:
            self._waiting.append(ticket)
            ticket.leads = not self._writing
            self._writing = True
        if not ticket.leads:
            self._wait(ticket)
        if ticket.leads:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        assert ticket.answer is not None
        return ticket.answer

    def _wait(self, ticket: _Ticket[R, A]) -> None:
        try:
            ticket.called.wait()
        except BaseException:  # interrupted
            with self._lock:
                leads = ticket.leads
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
            if leads:
                self._pass_on()
            raise

    def _lead(self, ticket: _Ticket[R, A]) -> None:
        """Writes the first of those who wait, `ticket` among them."""
        try:
            with self._lock:
                number = self._choose([waiting.request for waiting in self._waiting])
                group = [self._waiting.popleft() for _ in range(number)]
            try:
                self._answer(group)
            finally:
                for other in group:
                    if other is not ticket:
                        other.called.set()
        finally:
            self._pass_on()

    def _answer(self, group: Sequence[_Ticket[R, A]]) -> None:
        """Writes a group and notes the answers. What fails the group for a reason that one of them may be alone in is
        tried again one by one."""
        try:
            answers = self._write([ticket.request for ticket in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, MemoryFault):
                for ticket in group:
                    self._answer([ticket])
                return
            for ticket in group:
                ticket.error = error
        except BaseException:  # the thread that writes is interrupted, not those that it writes for
            for ticket in group:
                ticket.error = StorageError("writing was interrupted; send it again")
            raise
        else:
            for ticket, answer in zip(group, answers, strict=True):
                if isinstance(answer, MemoryFault):
                    ticket.error = answer
                else:
                    ticket.answer = answer

    def _pass_on(self) -> None:
        """Has the thread that has waited longest write next."""
        with self._lock:
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].called.set()
            else:
                self._writing = False
