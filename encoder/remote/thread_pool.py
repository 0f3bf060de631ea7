"""Thread pool that never delays process exit."""

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


class DaemonThreadPool(Generic[T, R]):
    """Runs up to `max_threads` calls at once. Unlike `concurrent.futures.ThreadPoolExecutor`, it does not keep the
    process alive until running calls end, which may take minutes, and it can be used again after `close`."""

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._tasks: SimpleQueue[_Task[T, R] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()

    def submit(self, call: Callable[[T], R], item: T) -> Future[R]:
        """Schedules `call(item)`."""
        task = _Task(call, item)
        with self._lock:
            self._tasks.put(task)
            if len(self._threads) < self._max_threads:
                name = f"{self._name}_{len(self._threads)}"
                self._threads.append(Thread(target=_run_tasks, args=(self._tasks,), name=name, daemon=True))
                self._threads[-1].start()
        return task.future

    def close(self) -> list[Thread]:
        """Cancels queued calls. Returns the threads, each of which ends after the call it is running."""
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


def _run_tasks(tasks: "SimpleQueue[_Task[T, R] | None]") -> None:
    while (task := tasks.get()) is not None:
        task.run()
        del task  # keeps no page alive while the thread is idle


def join_threads(threads: list[Thread]) -> None:
    """Waits up to `JOIN_S` seconds in total for the threads to end."""
    until = monotonic() + JOIN_S
    for thread in threads:
        if thread is not current_thread():
            thread.join(max(0.0, until - monotonic()))
