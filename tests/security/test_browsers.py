"""Web pages of other sites that send requests from a user's browser."""

import httpx
import pytest
from support.service import BANK, BANK_PATH, MESSAGES, check_problem, serve

from foxing.memory import Memory
from foxing.memory.doors import RequestError, check_site

CROSS_SITE = [
    {"Origin": "https://attacker.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://{host}"},
    {"Origin": "http://{host}", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
]


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_a_page_of_another_site_cannot_change_anything(
    shared_memory: Memory, shared_client: httpx.Client, headers: dict[str, str]
) -> None:
    headers = {name: value.replace("{host}", shared_client.base_url.netloc.decode()) for name, value in headers.items()}
    for path in (f"{BANK_PATH}/seal", f"{BANK_PATH}/age", "/x/hooks/claude-code/SessionStart", "/x/mcp/ana"):
        check_problem(shared_client.post(path, headers=headers), 403, "cross-site")
    for method in ("PUT", "DELETE"):
        check_problem(shared_client.request(method, f"{BANK_PATH}/pages/p/pin", headers=headers), 403, "cross-site")
    assert shared_memory.bank(BANK).open_messages == MESSAGES


def test_pages_of_the_service_itself_and_other_clients_can_use_it(
    shared_memory: Memory, shared_client: httpx.Client
) -> None:
    shared_memory.store("b", [{"role": "user", "content": "Titan ships on 14 March."}])
    own = {"Origin": str(shared_client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own, {"Sec-Fetch-Site": "none"}):
        assert shared_client.post("/v1/banks/b/seal", headers=headers).status_code == 200


@pytest.mark.slow
def test_the_reference_can_be_reached_by_a_link(shared_client: httpx.Client) -> None:
    assert shared_client.get("/docs", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).is_success


def test_with_a_key_the_key_decides(shared_memory: Memory) -> None:
    with serve(shared_memory, api_key="correct-horse") as client:
        headers = {"Origin": "https://app.example", "Authorization": "Bearer correct-horse"}
        assert client.get("/v1/banks", headers=headers).is_success


def test_a_proxy_with_tls_may_hide_the_scheme_of_a_page_from_the_service(shared_client: httpx.Client) -> None:
    page = {"Origin": f"https://{shared_client.base_url.netloc.decode()}", "Sec-Fetch-Site": "same-origin"}
    assert shared_client.post("/v1/banks/b/seal", headers=page).status_code in (200, 404)


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "own"),
    [
        ("http", "localhost", "http://localhost:80", True),
        ("http", "localhost:80", "http://localhost", True),
        ("https", "localhost", "https://localhost:443", True),
        ("wss", "localhost", "https://localhost", True),
        ("ws", "[::1]:8765", "http://[::1]:8765", True),
        ("http", "LOCALHOST:8765", "http://localhost:8765", True),
        ("http", "localhost:443", "https://localhost", False),
        ("ws", "localhost:8765", "ws://localhost:8765", False),
        ("http", "localhost", "http://localhost@evil.example", False),
        ("http", "localhost", "http://localhost/", False),
        ("http", "localhost", "http://localhost, http://localhost", False),
        ("http", "localhost", "http://localhost:99999", False),
        ("http", "localhost", "", False),
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(scheme: str, host: str, origin: str, own: bool) -> None:
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    if own:
        check_site(scheme, headers, "x")
    else:
        with pytest.raises(RequestError):
            check_site(scheme, headers, "x")
