"""Problem documents for requests outside the API and for internal errors."""

import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.databases import execute
from support.service import check_problem, serve

from foxing.api.logs import configure_logs
from foxing.api.problems import problem_of
from foxing.api.server import StartFailed
from foxing.api.settings import load_settings
from foxing.memory import Memory
from foxing.memory import errors as memory_errors


@pytest.fixture
def log(root_logger: logging.Logger) -> io.StringIO:
    """The log of the service, at level debug."""
    stream = io.StringIO()
    configure_logs(load_settings({"log_level": "debug"}), stream)
    return stream


def log_entries(log: io.StringIO, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/banks/", "/v1/banks/b/pages/", "/nothing", "/v1/banks/b/redo"])
def test_an_unknown_path(client: httpx.Client, path: str) -> None:
    assert check_problem(client.get(path), 404, "no-such-path")["instance"] == path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/banks/b/pages/p/pin", "DELETE, PUT"),
        ("DELETE", "/v1/banks/b/policy", "GET, PUT"),
        ("PUT", "/v1/banks/b", "DELETE, GET"),
        ("PATCH", "/v1/banks/b/messages", "POST"),
        ("GET", "/v1/banks/b/recall", "POST"),
    ],
)
def test_a_method_that_the_path_does_not_support(client: httpx.Client, method: str, path: str, allowed: str) -> None:
    response = client.request(method, path)
    assert allowed in check_problem(response, 405, "method-not-allowed")["detail"]
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path",
    ["/v1/banks?limit=0", "/v1/banks?limit=501", "/v1/banks?limit=many", "/v1/banks/b/pages?tier=huge"],
)
def test_an_invalid_parameter(client: httpx.Client, path: str) -> None:
    document = check_problem(client.get(path), 422, "invalid-request")
    assert document["errors"][0]["where"].startswith("query.")


def test_the_error_for_an_unknown_tier_lists_the_tiers(client: httpx.Client) -> None:
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
        ("POST", "/seal", {}),
        ("POST", "/age", {}),
    ]
    for method, path, body in calls:
        response = client.request(method, f"/v1/banks/nobody{path}", json=body)
        assert "nobody" in check_problem(response, 404, "not-found")["detail"], path


def test_a_cursor_of_another_list(client: httpx.Client) -> None:
    client.post("/v1/banks/b/messages", json={"messages": [{"role": "user", "content": "x"}]})
    for path in ("/v1/banks?cursor=zzz", "/v1/banks/b/pages?cursor=zzz"):
        check_problem(client.get(path), 422, "invalid-cursor")
    check_problem(client.post("/v1/banks/b/recall", json={"cursor": "zzz"}), 422, "invalid-cursor")


def test_every_request_has_an_id(client: httpx.Client, log: io.StringIO) -> None:
    chosen = client.get("/v1/banks/x", headers={"X-Request-ID": "trace-42"})
    assert chosen.headers["x-request-id"] == "trace-42"
    assert chosen.json()["request_id"] == "trace-42"
    generated = [client.get("/healthz", headers=h).headers["x-request-id"] for h in ({}, {"X-Request-ID": "not\tone"})]
    assert all(re.fullmatch(r"[0-9a-f]{32}", identity) for identity in generated)
    assert generated[0] != generated[1]
    entry = log_entries(log, "request")[0]
    assert (entry["request_id"], entry["method"], entry["status"], entry["bank"]) == ("trace-42", "GET", 404, "x")
    assert entry["path"] == "/v1/banks/{bank}"
    assert entry["duration_ms"] >= 0
    assert entry["level"] == "info"


def test_an_internal_error_is_logged_and_not_shown(
    client: httpx.Client, memory: Memory, database_url: str, log: io.StringIO
) -> None:
    memory.store("b", [{"role": "user", "content": "x"}])
    # A missing table is an error that no caller can cause.
    execute(database_url, "DROP TABLE keepsakes")
    response = client.get("/v1/banks/b")
    document = response.json()
    assert response.status_code in (500, 503)
    assert response.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in response.text
    failures = log_entries(log, "request failed")
    assert failures[0]["request_id"] == document["request_id"] == response.headers["x-request-id"]
    assert "Traceback" in failures[0]["exception"]
    assert client.get("/healthz").is_success


def test_a_service_that_cannot_open_its_database_does_not_start(tmp_path: Path, log: io.StringIO) -> None:
    (tmp_path / "no.db").write_bytes(b"this is not a database" * 100)
    with (
        pytest.raises(StartFailed),
        serve(database_url=str(tmp_path / "no.db")),
    ):
        pass
    assert "not a SQLite database" in log.getvalue()


def test_a_service_opens_and_closes_its_own_memory(database_url: str) -> None:
    with serve(database_url=database_url) as client:
        body = {"messages": [{"role": "user", "content": "x"}]}
        assert client.post("/v1/banks/b/messages", json=body).status_code == 201
    with Memory(database_url) as memory:
        assert memory.bank("b").messages == 1


def test_every_error_of_the_memory_is_a_problem_of_its_own() -> None:
    classes = [
        value
        for value in vars(memory_errors).values()
        if isinstance(value, type) and issubclass(value, memory_errors.MemoryFault)
    ]
    assert len(classes) > 8
    internal = {memory_errors.MemoryFault, memory_errors.Unavailable}
    damaged = {memory_errors.Unreadable, memory_errors.TokensDamaged}
    for error_class in classes:
        problem = problem_of(error_class("what to do"))
        assert problem.type.endswith("internal") == (error_class in internal), error_class
        assert problem.type.endswith("tokens-unreadable") == (error_class in damaged), error_class
        assert (problem.status == 500) == (error_class in internal | damaged), error_class


def test_a_problem_document_omits_empty_fields_and_escapes_surrogates() -> None:
    document = problem_of(memory_errors.NotFound("there is no bank 'b\ud800'")).document()
    assert set(document) == {"type", "title", "status", "detail"}
    json.dumps(document, ensure_ascii=False).encode()
