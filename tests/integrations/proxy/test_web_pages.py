"""Web pages that reach the proxy through a user's browser: a proxy without a key takes nothing of theirs."""

import json

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import Memory
from tests.upstream import Upstream

from .conftest import BANK, StartProxy
from .test_passing import BODY, HEADERS, post

PAGES = [
    {"origin": "https://attacker.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "https://{host}"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://{host}"},
]


def of_page(proxy: BackgroundProxy, headers: dict[str, str]) -> dict[str, str]:
    host = proxy.url.removeprefix("http://")
    return {name: value.replace("{host}", host) for name, value in headers.items()}


@pytest.mark.parametrize("headers", PAGES)
def test_what_a_page_of_another_site_sends_is_neither_passed_on_nor_stored(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory, headers: dict[str, str]
) -> None:
    given = of_page(proxy, headers)
    refused = post(proxy, **{**given, "content-type": "text/plain"})
    assert refused.status_code == 403
    assert refused.json()["error"]["type"] == "permission_error"
    for path in ("/v1/models", "/foxing/status"):
        assert httpx.get(f"{proxy.url}{path}", headers=given).status_code == 403
    with pytest.raises(InvalidStatus) as websocket:
        connect(f"ws{proxy.url.removeprefix('http')}/v1/responses", additional_headers=given, proxy=None)
    assert websocket.value.response.status_code == 403
    assert not upstream.exchanges
    proxy.close()
    assert not [each.name for each in memory.banks().banks if each.name == BANK]


def test_a_name_that_leads_to_this_machine_is_not_a_name_of_the_proxy(
    proxy: BackgroundProxy, upstream: Upstream
) -> None:
    for host in ("attacker.example", "attacker.example:8788", "localhost.attacker.example"):
        refused = post(proxy, host=host)
        assert refused.status_code == 421
        assert "--host" in json.loads(refused.content)["error"]["message"]
    assert not upstream.exchanges
    for host in ("localhost:8788", "127.0.0.1", "[::1]:8788"):
        assert post(proxy, host=host).status_code == 200


def test_own_pages_and_programs_are_served(proxy: BackgroundProxy) -> None:
    for headers in ({}, {"origin": "http://{host}"}, {"sec-fetch-site": "none"}, {"sec-fetch-mode": "cors"}):
        assert post(proxy, **of_page(proxy, headers)).status_code == 200


def test_with_a_key_the_key_decides(start: StartProxy) -> None:
    proxy = start(key="fox")
    headers = {**HEADERS, "origin": "https://app.example", "host": "proxy.example"}
    assert httpx.post(f"{proxy.url}/v1/messages", content=BODY, headers=headers).status_code == 401
    keyed = {**headers, "x-foxing-key": "fox"}
    assert httpx.post(f"{proxy.url}/v1/messages", content=BODY, headers=keyed).status_code == 200
