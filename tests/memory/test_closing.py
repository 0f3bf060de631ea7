"""A memory that is closed: its calls raise, and calls that are running at the time finish or raise."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from foxing.memory import Closed, Memory, MemoryFault

MESSAGE = {"role": "user", "content": "We ship Titan on 14 March."}

CALLS: dict[str, Callable[[Memory], object]] = {
    "store": lambda memory: memory.store("ana", [MESSAGE]),
    "message": lambda memory: memory.message("ana", "m"),
    "export": lambda memory: list(memory.export("ana")),
    "recall": lambda memory: memory.recall("ana", "titan"),
    "recall_images": lambda memory: memory.recall_images("ana", "titan"),
    "seal": lambda memory: memory.seal("ana"),
    "age": lambda memory: memory.age("ana"),
    "tick": lambda memory: memory.tick(),
    "reencode": lambda memory: memory.operations.reencode("ana"),
    "pages": lambda memory: memory.pages("ana"),
    "page": lambda memory: memory.page("ana", "p"),
    "page_image": lambda memory: memory.page_image("ana", "p"),
    "read_page": lambda memory: memory.read_page("ana", "p"),
    "page_tokens": lambda memory: memory.page_tokens("ana", "p"),
    "pin": lambda memory: memory.pin("ana", "p"),
    "unpin": lambda memory: memory.pin("ana", "p", pinned=False),
    "banks": lambda memory: memory.banks(),
    "bank": lambda memory: memory.bank("ana"),
    "policy": lambda memory: memory.policy("ana"),
    "set_policy": lambda memory: memory.set_policy("ana", {}),
    "check": lambda memory: memory.check(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_on_a_closed_memory_raises(database_url: str, call: Callable[[Memory], object]) -> None:
    with Memory(database_url) as memory:
        memory.store("ana", [MESSAGE])
    with pytest.raises(Closed, match="closed; open it again"):
        call(memory)
    with Memory(database_url) as memory:
        assert memory.bank("ana").messages == 1


def test_closing_again_has_no_effect(database_url: str) -> None:
    memory = Memory(database_url)
    memory.close()
    memory.close()
    assert issubclass(Closed, MemoryFault)


@pytest.mark.both_databases
def test_calls_that_are_running_finish_or_raise(database_url: str) -> None:
    memory = Memory(database_url)
    threads = 8
    start = Barrier(threads + 1)

    def store_until_closed(thread: int) -> int:
        start.wait()
        for number in range(10_000):
            try:
                memory.store("ana", [{**MESSAGE, "id": f"{thread}-{number}"}])
                assert memory.recall("ana", "titan", limit=1).spans
            except Closed:
                return number
        raise AssertionError("the memory was never closed")

    with ThreadPoolExecutor(threads) as pool:
        runs = [pool.submit(store_until_closed, thread) for thread in range(threads)]
        start.wait()
        while memory.banks().banks == [] or memory.bank("ana").messages < threads:
            pass
        memory.close()
        acknowledged = sum(run.result() for run in runs)
    gc.collect()  # a connection that was left open would warn
    with Memory(database_url) as memory:
        stored = memory.bank("ana").messages
        assert acknowledged <= stored <= acknowledged + threads
