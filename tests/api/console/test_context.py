"""The page of a context: an example at first, its tokens by part, and two of them side by side."""

import re
from html import unescape

import httpx
from support.faded import BANK

from foxing.memory import Memory

PATH = f"/console/banks/{BANK}/context"


def test_it_begins_with_the_newest_question(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    text = unescape(console.get(PATH).text)
    assert "An example, with the newest question of this bank: <b><bdi>Is Titan still in March?" in text
    assert 'value="Is Titan still in March?"' in text
    assert "An example" not in unescape(console.get(PATH, params={"q": "Titan"}).text)
    assert "An example" not in unescape(console.get(PATH, params={"q": ""}).text)


def test_tokens_by_part_are_the_budget(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    text = unescape(console.get(PATH, params={"q": "Titan", "budget": "3000"}).text)
    counts = [int(each.replace(",", "")) for each in re.findall(r"</span>[^<]* <b>([\d,]+)</b>", text)]
    assert sum(counts) == 3_000


def test_two_readers_side_by_side(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    text = unescape(console.get(PATH, params={"q": "Titan", "b_reader": "text", "b_budget": "900"}).text)
    assert "Second answer" in text
    assert "Remove Second answer: Reader text" in text
    data = console.get(f"{PATH}.json", params={"q": "Titan", "b_reader": "text"}).json()
    assert [each["reader"] for each in data["answers"]] == ["claude", "text"]


def test_a_wrong_reader_is_explained_on_the_page(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    for params, said in (({"reader": "cluade"}, "“Reader”"), ({"budget": "0"}, "“Budget in tokens”")):
        response = console.get(PATH, params={"q": "Titan", **params})
        assert response.status_code == 422
        assert said in unescape(response.text).split('role="alert"')[1].split("</p>")[0]
