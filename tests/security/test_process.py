"""What the process of a service takes."""

import ctypes
import subprocess
import sys

import pytest

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


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"), reason="glibc's malloc has arenas"
)
def test_threads_share_few_pools_of_memory() -> None:
    done = subprocess.run([sys.executable, "-c", ALLOCATING], capture_output=True, text=True, check=True)
    assert 1 <= done.stdout.count("<heap nr=") <= 2
