"""What the process of a service takes."""

import ctypes
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from foxing.api import server
from foxing.api.app import create_app
from foxing.api.settings import load_settings
from foxing.memory import Memory

ALLOCATING = """
import ctypes, os, threading
from foxing.api.server import set_up_interpreter

set_up_interpreter()
here = threading.Barrier(9)

def allocate():
    held = [bytearray(5_000) for _ in range(100)]
    here.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
here.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


#: Prints how many objects a full collection walks, before and after.
EXEMPTING = """
import gc
import foxing.api.app
from foxing.memory.garbage import exempt_loaded

print(len(gc.get_objects()))
exempt_loaded()
print(len(gc.get_objects()))
"""
#: Runs a command, and prints at its end how many objects collections pass over.
COUNTING = """
import atexit, gc, sys
from foxing.api.cli.main import main

atexit.register(lambda: print(gc.get_freeze_count(), file=sys.stderr))
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="glibc's malloc has arenas"
)
def test_threads_share_few_pools_of_memory() -> None:
    done = subprocess.run([sys.executable, "-c", ALLOCATING], capture_output=True, text=True, check=True)
    assert 1 <= done.stdout.count("<heap nr=") <= 2


@pytest.mark.slow
def test_a_full_collection_walks_what_has_been_made_since() -> None:
    done = subprocess.run([sys.executable, "-c", EXEMPTING], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before > 50_000
    assert after < 500


@pytest.mark.slow
def test_the_mcp_server_exempts_what_it_has_loaded(tmp_path: Path) -> None:
    command = [sys.executable, "-c", COUNTING, "--database", str(tmp_path / "foxing.db"), "mcp"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert int(done.stderr.split()[-1]) > 50_000


def test_what_is_loaded_at_the_start_is_no_longer_looked_through(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    frozen = threading.Event()

    def exempt() -> None:
        done.append("exempted")
        frozen.set()

    monkeypatch.setattr(server, "exempt_loaded", exempt)
    monkeypatch.setattr(server, "set_up_interpreter", lambda: None)
    listener = server.listen("127.0.0.1", 0)
    with Memory(database_url) as memory:
        check = memory.check
        monkeypatch.setattr(memory, "check", lambda: [check(), done.append("loaded")])
        app = create_app(load_settings({"ageing_enabled": False}), memory)
        running: list[Any] = []
        make = server._ProcessServer
        monkeypatch.setattr(server, "_ProcessServer", lambda config: [running.append(make(config)), running[0]][1])
        thread = threading.Thread(target=server.run, args=(app, listener))
        thread.start()
        assert frozen.wait(60)
        assert httpx.get(f"{server.url_of(listener)}/healthz", trust_env=False).is_success
        running[0].should_exit = True
        thread.join(60)
    assert done == ["loaded", "exempted"]
