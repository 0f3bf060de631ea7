"""What is not a request of the interface, and what goes wrong inside, is a problem document too."""

import io
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from foxing.api.app import create_app
from foxing.api.logs import configure_logs
from foxing.api.problems import INTERNAL, KINDS, kind_of, problem_of
from foxing.api.server import BackgroundServer, StartFailed
from foxing.api.settings import load_settings
from foxing.memory import Memory
from foxing.memory import errors as memory_errors
from foxing.renderer import FoxingError


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path) as memory:
        yield memory


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    app = create_app(load_settings({"ageing_enabled": False}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        yield client


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the service logs, as configured by its settings."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs(load_settings({"log_level": "debug"}), stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def entries(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/banks/", "/v1/banks/b/pages/", "/nothing", "/v1/banks/b/undo"])
def test_an_unknown_path(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:foxing:problem:no-such-path"
    assert response.json()["instance"] == path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/banks/b/pages/p/pin", "DELETE, PUT"),
        ("DELETE", "/v1/banks/b/policy", "GET, PUT"),
        ("DELETE", "/v1/banks/b", "GET"),
        ("PATCH", "/v1/banks/b/messages", "POST"),
        ("GET", "/v1/banks/b/recall", "POST"),
    ],
)
def test_a_method_the_path_does_not_take(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == allowed
    assert response.json()["type"] == "urn:foxing:problem:method-not-allowed"
    assert allowed in response.json()["detail"]


@pytest.mark.parametrize(
    "path",
    ["/v1/banks?limit=0", "/v1/banks?limit=501", "/v1/banks?limit=many", "/v1/banks/b/pages?tier=huge"],
)
def test_a_wrong_parameter(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 422
    assert response.json()["type"] == "urn:foxing:problem:invalid-request"
    assert response.json()["errors"][0]["where"].startswith("query.")


def test_an_unknown_tier_is_told_the_tiers(client: httpx.Client) -> None:
    assert "'micro'" in client.get("/v1/banks/b/pages?tier=huge").json()["detail"]


def test_an_unknown_bank(client: httpx.Client) -> None:
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("GET", "/pages", None),
        ("GET", "/pages/p", None),
        ("GET", "/pages/p/image", None),
        ("GET", "/pages/p/read", None),
        ("GET", "/pages/p/tokens", None),
        ("PUT", "/pages/p/pin", None),
        ("GET", "/policy", None),
        ("PUT", "/policy", {"fresh": "base"}),
        ("POST", "/seal", {}),
        ("POST", "/age", {}),
        ("POST", "/recall", {"query": "titan"}),
        ("POST", "/recall", {"query": "titan", "format": "images"}),
    ]
    for method, path, body in calls:
        response = client.request(method, f"/v1/banks/nobody{path}", json=body)
        assert (path, response.status_code) == (path, 404)
        assert response.json()["type"] == "urn:foxing:problem:not-found"
        assert "nobody" in response.json()["detail"]


def test_a_foreign_cursor(client: httpx.Client) -> None:
    client.post("/v1/banks/b/messages", json={"messages": [{"role": "user", "content": "x"}]})
    for path in ("/v1/banks?cursor=zzz", "/v1/banks/b/pages?cursor=zzz"):
        response = client.get(path)
        assert response.status_code == 422
        assert response.json()["type"] == "urn:foxing:problem:invalid-cursor"
    response = client.post("/v1/banks/b/recall", json={"cursor": "zzz"})
    assert response.json()["type"] == "urn:foxing:problem:invalid-cursor"


def test_every_request_has_an_id(client: httpx.Client, log: io.StringIO) -> None:
    own = client.get("/v1/banks/x", headers={"X-Request-ID": "trace-42"})
    assert own.headers["x-request-id"] == "trace-42"
    assert own.json()["request_id"] == "trace-42"
    made = [client.get("/healthz", headers=h).headers["x-request-id"] for h in ({}, {"X-Request-ID": "not\tone"})]
    assert all(re.fullmatch(r"[0-9a-f]{32}", identity) for identity in made)
    assert made[0] != made[1]
    entry = entries(log, "request")[0]
    assert (entry["request_id"], entry["method"], entry["status"], entry["bank"]) == ("trace-42", "GET", 404, "x")
    assert entry["path"] == "/v1/banks/{bank}"
    assert entry["duration_ms"] >= 0
    assert entry["level"] == "info"


def test_a_fault_inside_is_logged_and_not_shown(
    client: httpx.Client, memory: Memory, database_path: Path, log: io.StringIO
) -> None:
    memory.store("b", [{"role": "user", "content": "x"}])
    # a table that is not there any more: nothing a caller could have done
    with closing(sqlite3.connect(database_path)) as connection:
        connection.execute("DROP TABLE keepsakes")
    response = client.get("/v1/banks/b")
    document = response.json()
    assert response.status_code in (500, 503)
    assert response.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in response.text
    failed = entries(log, "request failed")
    assert failed[0]["request_id"] == document["request_id"] == response.headers["x-request-id"]
    assert "Traceback" in failed[0]["exception"]
    assert client.get("/healthz").is_success


def test_a_service_that_cannot_open_its_database_does_not_start(tmp_path: Path, log: io.StringIO) -> None:
    (tmp_path / "no.db").write_bytes(b"this is no database, whatever its name says" * 100)
    with (
        pytest.raises(StartFailed),
        BackgroundServer(create_app(load_settings({"database_url": str(tmp_path / "no.db")}))),
    ):
        pass
    assert "not a SQLite database" in log.getvalue()


def test_a_service_opens_and_closes_its_own_memory(database_path: Path) -> None:
    app = create_app(load_settings({"database_url": str(database_path), "ageing_enabled": False}))
    with BackgroundServer(app) as server:
        body = {"messages": [{"role": "user", "content": "x"}]}
        assert httpx.post(f"{server.url}/v1/banks/b/messages", json=body).status_code == 201
    with Memory(database_path) as memory:
        assert memory.bank("b").messages == 1


def test_every_error_of_the_memory_has_a_kind_of_its_own_name() -> None:
    classes = [
        value
        for value in vars(memory_errors).values()
        if isinstance(value, type) and issubclass(value, memory_errors.MemoryFault)
    ]
    assert len(classes) > 8
    for error_class in classes:
        kind = kind_of(error_class("what to do"))
        if error_class is not memory_errors.MemoryFault:
            assert kind.slug == error_class.problem
    assert kind_of(FoxingError("anything")) is INTERNAL
    order = [known for known, _ in KINDS]
    for place, known in enumerate(order):
        assert not any(issubclass(later, known) for later in order[place + 1 :])


def test_a_problem_document_leaves_out_what_it_does_not_know() -> None:
    document = problem_of(memory_errors.NotFound("there is no bank 'b\ud800'")).document()
    assert set(document) == {"type", "title", "status", "detail"}
    json.dumps(document, ensure_ascii=False).encode()
