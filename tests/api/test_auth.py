"""Authentication by API key, and the host names that are served without one."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient
from support.service import check_problem, serve

from foxing.api.app import create_app
from foxing.api.settings import InvalidSettings, load_settings
from foxing.memory import Memory

KEY = "correct-horse-battery-staple"


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    with serve(memory, api_key=KEY) as client:
        yield client


@pytest.mark.parametrize(
    "header",
    [None, "", KEY, f"Basic {KEY}", "Bearer", "Bearer wrong", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}"],
)
def test_a_missing_or_wrong_key_is_unauthorized(client: httpx.Client, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("GET", "/v1/banks"), ("POST", "/v1/banks/b/messages"), ("GET", "/metrics"), ("GET", "/v1/x")):
        response = client.request(method, path, headers=headers, content=b"\xff" if method == "POST" else None)
        assert "Authorization: Bearer" in check_problem(response, 401, "unauthorized")["detail"]
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_key_that_is_not_text_is_unauthorized(client: httpx.Client) -> None:
    assert client.get("/v1/banks", headers={b"Authorization": b"Bearer \xff\xfe"}).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_key_grants_access(client: httpx.Client, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {KEY}"}
    assert client.get("/v1/banks", headers=headers).json() == {"banks": [], "next_cursor": None}
    assert client.get("/metrics", headers=headers).status_code == 200


def test_health_and_the_reference_need_no_key(client: httpx.Client) -> None:
    for path in ("/healthz", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_any_host_name_is_served_with_a_key(client: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Host": "memory.example.org"}
    assert client.get("/v1/banks", headers=headers).status_code == 200


def test_only_loopback_names_are_served_without_a_key(memory: Memory) -> None:
    with serve(memory) as client:
        for host in ("localhost", "LOCALHOST:8765", "127.0.0.1:80", "[::1]:8765"):
            assert client.get("/v1/banks", headers={"Host": host}).status_code == 200
        check_problem(client.get("/v1/banks", headers={"Host": "attacker.example"}), 421, "wrong-host")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:80@evil.example", "127.0.0.1@evil.example", "evil.example@127.0.0.1", "127.0.0.1:"),
        *("[::1].evil.example", "[::1]evil.example:80", "[::1", "::1", "[127.0.0.1:80", "[localhost]"),
        *("localhost:80:evil.example", "localhost:port", "localhost/evil.example", "localhost, evil.example", ""),
        *("localhost.", "localhost.evil.example", "evil.example#localhost", "localhost evil.example"),
    ],
)
def test_a_host_is_read_strictly(memory: Memory, host: str) -> None:
    with serve(memory) as client:
        for path in ("/v1/banks", "/healthz", "/x/mcp/ana"):
            check_problem(client.get(path, headers={"Host": host}), 421, "wrong-host")


def test_a_request_names_one_host(memory: Memory) -> None:
    with TestClient(create_app(load_settings({"ageing_enabled": False}), memory)) as client:
        assert client.get("/healthz", headers={"Host": "127.0.0.1"}).status_code == 200
        hosts = httpx.Headers([("Host", "127.0.0.1"), ("Host", "evil.example")])
        check_problem(client.get("/healthz", headers=hosts), 421, "wrong-host")


def test_serving_other_machines_requires_a_key(memory: Memory) -> None:
    with pytest.raises(InvalidSettings, match="FOXING_API_KEY"):
        create_app(load_settings({"host": "0.0.0.0"}), memory)
