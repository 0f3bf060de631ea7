"""Group commit: concurrent writes of several threads share one transaction.

A transaction costs an fsync of the log and, on PostgreSQL, a round trip for each statement. While one thread writes,
the requests of others queue up; the next writer writes them all.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

from foxing.memory.errors import MemoryFault, StorageError

R = TypeVar("R")  # a request
A = TypeVar("A")  # the answer to it


class _Ticket(Generic[R, A]):
    """A queued request and its answer."""

    def __init__(self, request: R) -> None:
        self.request = request
        self.answer: A | None = None
        self.error: BaseException | None = None
        #: True if `called` means that its thread is the next writer; False if it means that the answer is there.
        self.leads = False
        self.called = Event()

    @property
    def result(self) -> A | BaseException:
        """The answer or the error."""
        if self.error is not None:
            return self.error
        assert self.answer is not None
        return self.answer


class GroupCommit(Generic[R, A]):
    """Passes requests of any number of threads to `write` in groups, from one thread at a time.

    `write`: writes a group in one transaction and returns an answer for each request, or the error that concerns it
    alone; raises an error that concerns the group. `choose`: returns how many of the waiting requests, from the first
    on and at least one, can be written together.
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
        """Returns the answer to a request once it is committed. Raises its error."""
        [answer] = self.submit_all([request])
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def submit_all(self, requests: Sequence[R]) -> list[A | BaseException]:
        """Returns the answer or the error of each request, once all are committed. They may be committed in several
        transactions."""
        tickets: list[_Ticket[R, A]] = [_Ticket(request) for request in requests]
        if not tickets:
            return []
        with self._lock:
            self._waiting.extend(tickets)
            tickets[0].leads = not self._writing
            self._writing = True
        for number, ticket in enumerate(tickets):
            if not ticket.leads:
                self._wait(tickets[number:])
            if ticket.leads:
                self._lead(ticket, tickets[number + 1 :])
        return [ticket.result for ticket in tickets]

    def _wait(self, tickets: Sequence[_Ticket[R, A]]) -> None:
        """Waits for the first of a thread's remaining tickets."""
        try:
            tickets[0].called.wait()
        except BaseException:  # interrupted
            self._give_up(tickets)
            raise

    def _give_up(self, tickets: Sequence[_Ticket[R, A]]) -> None:
        """Removes the tickets from the queue, and appoints another writer if one of them was the next writer."""
        with self._lock:
            waiting = [ticket for ticket in tickets if ticket in self._waiting]
            for ticket in waiting:
                self._waiting.remove(ticket)
        if any(ticket.leads for ticket in waiting):
            self._pass_on()

    def _lead(self, ticket: _Ticket[R, A], further: Sequence[_Ticket[R, A]]) -> None:
        """Writes the first waiting requests, `ticket` among them. `further`: later tickets of the same thread."""
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
        except BaseException:  # interrupted
            self._give_up(further)
            raise
        finally:
            self._pass_on()

    def _answer(self, group: Sequence[_Ticket[R, A]]) -> None:
        """Writes a group and stores the answers. If an unexpected error fails the group, each request is tried
        separately."""
        try:
            answers = self._write([ticket.request for ticket in group])
        except Exception as error:
            if len(group) > 1 and not isinstance(error, MemoryFault):
                for ticket in group:
                    self._answer([ticket])
                return
            for ticket in group:
                ticket.error = error
        except BaseException:  # only the writing thread is interrupted, not the others of the group
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
        """Appoints the thread that has waited longest as the next writer."""
        with self._lock:
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].called.set()
            else:
                self._writing = False
