"""The page of recall: answers, their settings in the address, and two of them side by side."""

import json
import re
from html import unescape

import httpx
import pytest
from support.faded import BANK
from support.service import serve

from foxing.memory import Memory

from .conftest import as_browser

PATH = f"/console/banks/{BANK}/recall"
QUESTION = "When do we ship Titan?"


def page_of(console: httpx.Client, **params: str) -> str:
    response = console.get(PATH, params=params)
    assert response.status_code == 200, response.text
    return unescape(response.text)


def test_the_answer_is_the_text_that_a_model_sees(shared: tuple[httpx.Client, Memory]) -> None:
    console, memory = shared
    text = page_of(console, q=QUESTION, limit="3")
    result = memory.recall(BANK, QUESTION, limit=3, neighbours=1, gap_mark="⋯", track=False)
    assert result.rendered in text
    assert f"{result.text_tokens} text tokens" in text
    counts = [int(each) for each in re.findall(r"(?:matches|neighbours|marks) <b>(\d+)</b>", text)]
    assert sum(counts) == result.text_tokens


def test_parts_of_a_score_are_named_bars(shared: tuple[httpx.Client, Memory]) -> None:
    console, memory = shared
    text = page_of(console, q=QUESTION)
    best = memory.recall(BANK, QUESTION, limit=10, explain=True, track=False).scores[0]
    for name, value in (("words", best.words), ("meaning", best.meaning), ("lent by neighbours", best.neighbours)):
        row = text.split(f'<th scope="row">{name}</th>')[1].split("</tr>")[0]
        assert f"{value:.2f}" in row
        assert "<rect" in row
    assert "<mark>Titan</mark>" in text


def test_settings_in_effect_can_be_removed_one_by_one(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    text = page_of(console, q=QUESTION, max_tokens="20", fidelity="verbatim", thread="")
    removed = re.findall(r'<a href="([^"]*)" aria-label="Remove ([^"]*)"', text)
    assert [label for _, label in removed] == ["Most tokens 20", "Fidelity verbatim"]
    assert "fidelity=verbatim" in removed[0][0]
    assert "max_tokens" not in removed[0][0]
    assert "no room within the most tokens" in text
    assert '"max_tokens": 20' in text


def test_two_answers_stand_side_by_side(shared: tuple[httpx.Client, Memory]) -> None:
    console, _ = shared
    text = page_of(console, q=QUESTION, b_fidelity="verbatim", min_relevance="0")
    assert "Second answer" in text
    assert "Fidelity remembered" in re.sub("<[^>]+>", "", text)
    assert "its exact text is not kept" in text
    assert "in this answer alone" in text
    data = console.get(f"{PATH}.json", params={"q": QUESTION, "b_fidelity": "verbatim"}).json()
    assert {span["source"] for span in data["answers"][1]["spans"]} == {"open"}


def test_a_page_without_a_question_or_an_answer_leads_further(
    shared: tuple[httpx.Client, Memory], console: httpx.Client, memory: Memory
) -> None:
    text = page_of(console)
    assert "Is Titan still in March?</bdi></a>" in text
    none = page_of(console, q="xylophone", thread="later", fidelity="verbatim", since="2030-01-01")
    assert "No message answers this." in none
    assert "min_relevance=0" in none
    memory.store("mute", [{"role": "assistant", "content": "Nobody asked."}])
    assert "could serve as an example" in console.get("/console/banks/mute/recall").text
    assert console.get("/console/banks/none/recall").status_code == 404


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("limit", "many", "correct the field “Most matches”"),
        ("neighbours", "-1", "correct the field “Neighbours of each”"),
        ("fidelity", "exact", "correct the field “Fidelity”"),
        ("since", "someday soonish", "someday soonish"),
        ("limit", "501", "limit"),
    ],
)
def test_a_wrong_setting_is_explained_on_the_page(
    shared: tuple[httpx.Client, Memory], field: str, value: str, said: str
) -> None:
    console, _ = shared
    response = console.get(PATH, params={"q": QUESTION, field: value})
    assert response.status_code == 422
    text = unescape(response.text)
    assert said in text.split('role="alert"')[1].split("</p>")[0]
    assert f'value="{QUESTION}"' in text
    assert "--" not in text.split('role="alert"')[1].split("</p>")[0]
    assert console.get(f"{PATH}.json", params={"q": QUESTION, field: value}).status_code == 422


def test_what_was_wrong_is_noted_in_a_file(console: httpx.Client, memory: Memory) -> None:
    path = memory.operations.labels.path
    assert path is not None
    text = page_of(console, q=QUESTION, max_tokens="40")
    assert "This was wrong" in text
    assert "Id of a message that is missing" in text
    form = {"q": QUESTION, "id": "answer", "verdict": "wrong", "back": f"{PATH}?q=When&max_tokens=40"}
    response = console.post(f"/console/banks/{BANK}/label", data=form)
    assert "does not belong to the answer" in response.text
    assert response.url.params["max_tokens"] == "40"
    (line,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (line["query"], line["message_id"], line["verdict"]) == (QUESTION, "answer", "wrong")
    away = console.post(f"/console/banks/{BANK}/label", data=form | {"back": "//evil.example/"})
    assert away.url.path == PATH
    for wrong in ({"verdict": "fine"}, {"q": ""}):
        assert console.post(f"/console/banks/{BANK}/label", data=form | wrong).status_code == 422
    assert console.post(f"/console/banks/{BANK}/label", data=form | {"id": "none"}).status_code == 404
    other = console.post(f"/console/banks/{BANK}/label", data=form, headers={"origin": "https://evil.example"})
    assert other.status_code == 403
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_who_may_only_read_labels_nothing(memory: Memory) -> None:
    key = memory.operations.keys.create({"name": "reader", "role": "read"}).key
    with serve(memory) as client:
        console = as_browser(client)
        console.post("/console/login", data={"key": key})
        assert "This was wrong" not in page_of(console, q=QUESTION)
        form = {"q": QUESTION, "id": "answer", "verdict": "wrong"}
        assert console.post(f"/console/banks/{BANK}/label", data=form).status_code == 403
    path = memory.operations.labels.path
    assert path is not None
    assert not path.exists()
