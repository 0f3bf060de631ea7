"""The key, and the names the service answers to."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import InvalidSettings, load_settings
from foxing.memory import Memory

KEY = "correct-horse-battery-staple"


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path) as memory:
        yield memory


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    app = create_app(load_settings({"api_key": KEY, "ageing_enabled": False}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        yield client


@pytest.mark.parametrize(
    "header",
    [None, "", KEY, f"Basic {KEY}", "Bearer", "Bearer wrong", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}"],
)
def test_without_the_key_nothing_is_told(client: httpx.Client, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in (("GET", "/v1/banks"), ("POST", "/v1/banks/b/messages"), ("GET", "/metrics"), ("GET", "/v1/x")):
        response = client.request(method, path, headers=headers, content=b"\xff" if method == "POST" else None)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["type"] == "urn:foxing:problem:unauthorized"
        assert "Authorization: Bearer" in response.json()["detail"]


def test_a_key_that_is_no_text_is_wrong(client: httpx.Client) -> None:
    assert client.get("/v1/banks", headers={b"Authorization": b"Bearer \xff\xfe"}).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_with_the_key_everything_is_open(client: httpx.Client, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {KEY}"}
    assert client.get("/v1/banks", headers=headers).json() == {"banks": [], "next_cursor": None}
    assert client.get("/metrics", headers=headers).status_code == 200


def test_health_and_the_reference_need_no_key(client: httpx.Client) -> None:
    for path in ("/healthz", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_with_a_key_any_host_name_is_answered(client: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Host": "memory.example.org"}
    assert client.get("/v1/banks", headers=headers).status_code == 200


def test_without_a_key_only_loopback_names_are_answered(memory: Memory) -> None:
    app = create_app(load_settings({"ageing_enabled": False}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url) as client:
        for host in ("localhost", "LOCALHOST:8765", "127.0.0.1:80", "[::1]:8765"):
            assert client.get("/v1/banks", headers={"Host": host}).status_code == 200
        response = client.get("/v1/banks", headers={"Host": "attacker.example"})
        assert response.status_code == 421
        assert response.json()["type"] == "urn:foxing:problem:wrong-host"


def test_an_application_for_other_machines_needs_a_key(memory: Memory) -> None:
    with pytest.raises(InvalidSettings, match="FOXING_API_KEY"):
        create_app(load_settings({"host": "0.0.0.0"}), memory)
