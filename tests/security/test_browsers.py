"""Web pages of other sites that send requests from a user's browser."""

import httpx
import pytest
from support.service import BANK, BANK_PATH, MESSAGES, check_problem, serve

from foxing.memory import Memory

CROSS_SITE = [
    {"Origin": "https://attacker.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
]


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_a_page_of_another_site_cannot_change_anything(
    shared_memory: Memory, shared_client: httpx.Client, headers: dict[str, str]
) -> None:
    for path in (f"{BANK_PATH}/seal", f"{BANK_PATH}/age"):
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


def test_the_reference_can_be_reached_by_a_link(shared_client: httpx.Client) -> None:
    assert shared_client.get("/docs", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).is_success


def test_with_a_key_the_key_decides(shared_memory: Memory) -> None:
    with serve(shared_memory, api_key="correct-horse") as client:
        headers = {"Origin": "https://app.example", "Authorization": "Bearer correct-horse"}
        assert client.get("/v1/banks", headers=headers).is_success
