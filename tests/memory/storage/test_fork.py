"""A process that is forked while a memory is open in it, and while another of its threads stores."""

import os

import pytest
from support.operations.checks import check, examples
from support.processes import start_python

from foxing.memory import Memory

pytestmark = [
    pytest.mark.both_databases,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]

FORKING = """
import os, sys, threading
from foxing.memory import Memory, StorageError

def said(key):
    return [{"id": key, "role": "user", "content": f"Crate {key} is late again."}]

def child(memory, number):
    calls = {
        "store": lambda: memory.store("ana", said(f"lost-{number}")),
        "recall": lambda: memory.recall("ana", "crate"),
        "seal": lambda: memory.seal("ana"),
        "tick": memory.tick,
    }
    for name, call in calls.items():
        try:
            call()
            print(name, "worked")
        except StorageError as error:
            assert "forked" in str(error), error
    memory.close()
    try:
        with Memory(sys.argv[1]) as own:
            own.store("ben", said(f"own-{number}"))
            own.seal("ben")
            print("own worked")
    except StorageError as error:
        print("own", error)

memory = Memory(sys.argv[1])
memory.store("ana", said("first"))
stopped = threading.Event()

def store():
    number = 0
    while not stopped.is_set():
        memory.store("ana", said(f"thread-{number}"))
        number += 1

thread = threading.Thread(target=store)
thread.start()
for number in range(2):
    pid = os.fork()
    if pid == 0:
        try:
            child(memory, number)
        finally:
            sys.stdout.flush()
            os._exit(0 if sys.exc_info()[0] is None else 1)
    assert os.waitpid(pid, 0)[1] == 0
stopped.set()
thread.join()
memory.seal("ana")
memory.recall("ana", "crate")
memory.close()
pid = os.fork()
if pid == 0:
    with Memory(sys.argv[1]) as own:  # nothing is open any more
        own.store("ben", said("after"))
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.slow
def test_a_forked_process_cannot_use_the_memory_of_its_parent(database_url: str) -> None:
    process = start_python(FORKING, database_url)
    out, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (0, "")
    with Memory(database_url) as memory:
        ana = {span.message_id for span in memory.export("ana")}
        ben = {span.message_id for span in memory.export("ben")}
    assert "first" in ana
    assert not any(key.startswith("lost") for key in ana)
    lines = out.splitlines()
    assert len(lines) == 2
    if database_url.startswith("sqlite"):
        assert all("was open when this process was forked" in line for line in lines)
        assert ben == {"after"}
    else:
        assert lines == ["own worked"] * 2
        assert ben == {"after", *(f"own-{number}" for number in range(2))}
    assert examples(check(database_url, embedder="use")) == []
