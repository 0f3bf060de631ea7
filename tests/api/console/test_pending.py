"""Pages that take longer than a browser should wait for."""

from collections.abc import Callable
from html import unescape
from threading import Event
from typing import Any

import httpx
import pytest
from support.faded import BANK
from support.service import serve

from foxing.api.console import pending
from foxing.memory import Memory, RecallResult

from .conftest import as_browser
from .test_safety import NASTY, check_inert

HOME = f"/console/banks/{BANK}"


class HeldMemory:
    """Makes the recalls of a memory wait."""

    def __init__(self, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = Event()
        self.asked = 0
        recall: Callable[..., RecallResult] = memory.recall

        def held(*args: Any, **fields: Any) -> RecallResult:
            self.asked += 1
            assert self.go_on.wait(60)
            return recall(*args, **fields)

        monkeypatch.setattr(memory, "recall", held)


@pytest.fixture
def held(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> HeldMemory:
    monkeypatch.setattr(pending, "PATIENCE_S", 0.01)
    return HeldMemory(memory, monkeypatch)


def complete(client: httpx.Client, path: str, mark: str, **headers: str) -> str:
    """The page, asked for until it no longer has `mark`."""
    text = unescape(client.get(path, headers=headers).text)
    while mark in text:
        text = unescape(client.get(path, headers=headers).text)
    return text


@pytest.mark.slow
def test_a_slow_page_says_so_and_is_made_once(memory: Memory, held: HeldMemory) -> None:
    with serve(memory) as client:
        path = f"{HOME}/timeline?q=Titan+in+March&since="
        first = as_browser(client).get(path)
        assert first.status_code == 200
        assert 'role="status" data-again' in first.text
        assert '<meta http-equiv="refresh"' in first.text
        assert f'href="{path}"' in unescape(first.text)
        assert "data-again" in client.get(path).text
        held.go_on.set()
        text = complete(client, path, "data-again")
        assert "<mark>Titan</mark>" in text
        assert held.asked == 1
        assert "<mark>Titan</mark>" in complete(client, path, "data-again")  # made anew
        assert held.asked == 2


def test_a_slow_part_of_a_page_asks_for_itself(memory: Memory, held: HeldMemory) -> None:
    with serve(memory) as client:
        path = f"{HOME}/timeline?q=Titan"
        part = as_browser(client).get(path, headers={"HX-Request": "true"}).text
        assert "<html" not in part
        assert f'hx-get="{path}"' in part
        held.go_on.set()
        assert "<article" in complete(client, path, 'hx-trigger="load', **{"HX-Request": "true"})


def test_a_page_from_before_a_change_is_not_shown(memory: Memory, held: HeldMemory) -> None:
    with serve(memory) as client:
        path = f"{HOME}/timeline?q=Titan"
        as_browser(client).get(path)
        client.post(f"{HOME}/erase", data={"what": "thread", "name": "later", "confirmation": "later"})
        held.go_on.set()
        assert "Is Titan still in March?" not in complete(client, path, "data-again")
        assert held.asked == 2


def test_an_error_of_a_slow_page_is_shown(memory: Memory, held: HeldMemory) -> None:
    with serve(memory) as client:
        path = f"{HOME}/timeline?cursor=wrong"
        as_browser(client).get(path)
        held.go_on.set()
        assert "cursor" in complete(client, path, "data-again")


def test_json_waits(memory: Memory, held: HeldMemory) -> None:
    held.go_on.set()
    with serve(memory) as client:
        assert client.get(f"{HOME}/timeline.json?q=Titan").json()["spans"]


@pytest.mark.slow
def test_what_is_asked_for_is_only_text(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "PATIENCE_S", 0.0)
    with serve(memory) as client:
        for text in NASTY:
            for headers in ({}, {"HX-Request": "true"}):
                response = client.get(f"{HOME}/timeline", params={"q": text}, headers=headers)
                assert "<article" not in response.text
                check_inert(response.text)
