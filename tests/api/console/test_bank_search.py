"""Search over all banks, part by part."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx
import pytest
from support.service import serve

from foxing.api.console import bank_search
from foxing.memory import Memory

from .conftest import as_browser

BANKS = 9
START = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Memory]]:
    """A console over banks whose last messages are an hour apart, the last bank's the newest; every third mentions a
    ferry. One bank is empty."""
    with Memory(tmp_path_factory.mktemp("many") / "foxing.db") as memory, serve(memory) as client:
        for number in range(BANKS):
            words = "The ferry leaves at nine." if number % 3 == 0 else "The meadow is quiet."
            at = START + timedelta(hours=number)
            memory.store(f"bank-{number}", [{"role": "user", "content": words, "created_at": at}])
        memory.set_policy("empty", {"keep_text": "always"})
        yield as_browser(client), memory


def parts(console: httpx.Client, query: str) -> list[str]:
    """The parts of a search, each from the link of the one before, as the script of a page asks for them."""
    found = [unescape(console.get("/console/banks", params={"q": query}).text)]
    while 'rel="next"' in found[-1]:
        address = found[-1].split('rel="next" href="')[1].split('"')[0]
        found.append(unescape(console.get(address, headers={"HX-Request": "true"}).text))
    return found


def banks_in(text: str) -> list[str]:
    return [part.split("/timeline")[0] for part in text.split('<h2 dir="auto"><a href="/console/banks/')[1:]]


def test_all_banks_are_searched_in_parts_the_newest_first(
    many: tuple[httpx.Client, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    console, _ = many
    monkeypatch.setattr(bank_search, "PART_S", 600.0)
    whole = parts(console, "ferry")
    assert len(whole) == 1
    assert banks_in(whole[0]) == ["bank-6", "bank-3", "bank-0"]
    assert "Found in 3 of 9 banks." in whole[0]
    monkeypatch.setattr(bank_search, "PART_S", 0.0)
    found = parts(console, "ferry")
    assert [banks_in(part) for part in found] == [[], [], ["bank-6"], [], [], ["bank-3"], [], [], ["bank-0"]]
    assert "Searched 7 of 9 banks, found in 2." in found[6]
    assert "Found in 3 of 9 banks." in found[-1]
    assert ["<html" in part for part in found] == [True, *[False] * 8]
    assert "Nothing relevant" in parts(console, "xylophone")[-1]


def test_a_part_ends_with_as_many_banks_as_a_page_shows(
    many: tuple[httpx.Client, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    console, _ = many
    monkeypatch.setattr(bank_search, "BANKS_FOUND", 2)
    monkeypatch.setattr(bank_search, "PART_S", 600.0)
    assert [banks_in(part) for part in parts(console, "ferry")] == [["bank-6", "bank-3"], ["bank-0"]]


def test_the_json_of_a_search_goes_on_from_its_cursor(
    many: tuple[httpx.Client, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    console, _ = many
    monkeypatch.setattr(bank_search, "PART_S", 0.0)
    found: list[tuple[str, str]] = []
    cursor = ""
    for number in range(1, BANKS + 1):
        part = console.get("/console/banks.json", params={"q": "ferry", "cursor": cursor}).json()
        assert (part["searched"], part["total"]) == (number, BANKS)
        found += [(each["bank"], each["spans"][0]["text"]) for each in part["banks"]]
        cursor = part["next_cursor"]
    assert cursor is None
    assert found == [(f"bank-{number}", "The ferry leaves at nine.") for number in (6, 3, 0)]


def test_a_bank_that_is_erased_or_new_meanwhile_does_not_move_the_others(
    many: tuple[httpx.Client, Memory], monkeypatch: pytest.MonkeyPatch
) -> None:
    console, memory = many
    monkeypatch.setattr(bank_search, "PART_S", 0.0)
    first = console.get("/console/banks.json", params={"q": "ferry"}).json()
    memory.erase_bank("bank-8")
    memory.store("bank-new", [{"role": "user", "content": "A ferry."}])
    second = console.get("/console/banks.json", params={"q": "ferry", "cursor": first["next_cursor"]}).json()
    third = console.get("/console/banks.json", params={"q": "ferry", "cursor": second["next_cursor"]}).json()
    assert (second["banks"], third["banks"][0]["bank"]) == ([], "bank-6")


@pytest.mark.parametrize("cursor", ["x", "WyJiYW5rcyIsMV0", "WyJmb3VuZCBpbiBiYW5rcyIsMSwyXQ", "W10"])
def test_a_wrong_cursor_says_so(many: tuple[httpx.Client, Memory], cursor: str) -> None:
    console, _ = many
    response = console.get("/console/banks", params={"q": "ferry", "cursor": cursor})
    assert response.status_code == 422
    assert "cursor" in response.text
