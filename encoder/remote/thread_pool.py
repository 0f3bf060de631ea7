"""Threads for requests, which keep nobody waiting."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread, current_thread
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")
JOIN_S = 5.0


class _Task(Generic[T, R]):
    def __init__(self, call: Callable[[T], R], item: T) -> None:
        self.future: Future[R] = Future()
        self._call = call
        self._item = item

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._call(self._item)
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class Pool(Generic[T, R]):
    """Runs calls, `most` at once. Unlike that of `concurrent.futures` it does not hold up the end of the process until
    what runs has ended, which may take minutes; and after `close` it goes on with new threads when it is asked to."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._tasks: SimpleQueue[_Task[T, R] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()

    def submit(self, call: Callable[[T], R], item: T) -> Future[R]:
        task = _Task(call, item)
        with self._lock:
            self._tasks.put(task)
            if len(self._threads) < self._most:
                name = f"{self._name}_{len(self._threads)}"
                self._threads.append(Thread(target=_work, args=(self._tasks,), name=name, daemon=True))
                self._threads[-1].start()
        return task.future

    def close(self) -> list[Thread]:
        """Cancels what waits and lets the threads end, which come back, with what they are at."""
        with self._lock:
            tasks, self._tasks = self._tasks, SimpleQueue()
            threads, self._threads = self._threads, []
        try:
            while (task := tasks.get_nowait()) is not None:
                task.future.cancel()
        except Empty:
            pass
        for _ in threads:
            tasks.put(None)
        return threads


def _work(tasks: "SimpleQueue[_Task[T, R] | None]") -> None:
    while (task := tasks.get()) is not None:
        task.run()
        del task  # while it waits, nothing is held on to


def join(threads: list[Thread]) -> None:
    """Waits for those that end soon."""
    until = monotonic() + JOIN_S
    for thread in threads:
        if thread is not current_thread():
            thread.join(max(0.0, until - monotonic()))
