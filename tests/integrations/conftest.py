"""A service and a memory in process, behind the same connection."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.service import serve

from foxing.integrations.client import Target
from foxing.memory import Memory

#: For a test that takes seconds over HTTP.
slow_over_http = pytest.mark.parametrize(
    "target", [pytest.param("http", marks=pytest.mark.slow), "memory"], indirect=True
)


@dataclass(frozen=True)
class Service:
    """A running service that allows time travel."""

    url: str
    #: The memory behind it.
    memory: Memory


@pytest.fixture(scope="package")
def shared_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A memory for all tests of the folder; each uses a bank of its own."""
    from foxing.memory import MemoryOptions

    path = tmp_path_factory.mktemp("integrations") / "foxing.db"
    with Memory(path, options=MemoryOptions(embedder="none")) as memory:
        yield memory


@pytest.fixture(scope="package")
def service(shared_memory: Memory) -> Iterator[Service]:
    with serve(shared_memory, time_travel=True) as client:
        yield Service(str(client.base_url), shared_memory)


@pytest.fixture(params=["http", "memory"])
def target(request: pytest.FixtureRequest) -> Target:
    """What to connect to: the service, or the memory in process."""
    if request.param == "memory":
        memory: Memory = request.getfixturevalue("shared_memory")
        return memory
    service: Service = request.getfixturevalue("service")
    return service.url


@pytest.fixture
def bank(request: pytest.FixtureRequest) -> str:
    """The name of a bank that no other test uses."""
    return "".join(c if c.isalnum() else "-" for c in request.node.nodeid)[-100:].strip("-")
