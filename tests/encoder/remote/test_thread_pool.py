"""The thread pool."""

import threading

import numpy as np

from foxing.encoder.remote.thread_pool import DaemonThreadPool, join_threads


def test_thread_pool_limits_concurrency_and_passes_errors_on() -> None:
    pool: DaemonThreadPool[int, float] = DaemonThreadPool(2, "test")
    running = threading.Semaphore(2)

    def invert(number: int) -> float:
        assert running.acquire(blocking=False)
        try:
            return 1 / number
        finally:
            running.release()

    futures = [pool.submit(invert, number) for number in range(20)]
    assert isinstance(futures[0].exception(), ZeroDivisionError)
    assert np.allclose([future.result() for future in futures[1:]], 1 / np.arange(1, 20))
    threads = pool.close()
    assert len(threads) == 2
    join_threads(threads)
    assert not any(thread.is_alive() for thread in threads)
