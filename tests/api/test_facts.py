"""Standing facts over HTTP, and by the client."""

import httpx
import pytest
from support.service import check_problem, ok

from foxing.integrations.client import Client

PATH = "/v1/banks/b"
ALLERGY = "My daughter is allergic to nuts. Any idea for a cake?"

pytestmark = pytest.mark.both_databases


@pytest.fixture(autouse=True)
def messages(client: httpx.Client) -> None:
    said = [
        {"role": "user", "content": ALLERGY, "created_at": "2026-03-02T09:00:00Z"},
        {"role": "user", "content": "I work in a bakery now.", "created_at": "2026-03-03T09:00:00Z"},
    ]
    assert client.post(f"{PATH}/messages", json={"messages": said}).json()["stored"] == 2


def test_facts_are_listed_pinned_corrected_and_dismissed(client: httpx.Client) -> None:
    listed = ok(client.get(f"{PATH}/facts"))
    bakery, allergy = listed["facts"]
    assert (allergy["text"], allergy["subject"]) == ("My daughter is allergic to nuts.", "daughter")
    assert listed["rendered"].startswith("2026-03:\n- I work in a bakery now.")
    assert ok(client.get(f"{PATH}/facts", params={"at": "2026-03-03"}))["facts"] == [allergy]
    assert ok(client.get(f"{PATH}/facts", params={"subject": "Daughter"}))["facts"] == [allergy]
    path = f"{PATH}/facts/{allergy['fact_id']}"
    assert ok(client.put(f"{path}/pin"))["pinned"] is True
    assert ok(client.get(f"{PATH}/facts"))["facts"][0]["pinned"] is True
    assert ok(client.delete(f"{path}/pin"))["pinned"] is False
    corrected = ok(client.post(f"{path}/correct", json={"text": "My daughter may eat nuts."}))
    assert corrected["text"] == "My daughter may eat nuts."
    assert ok(client.delete(f"{PATH}/facts/{bakery['fact_id']}"))["text"] == bakery["text"]
    assert [fact["text"] for fact in ok(client.get(f"{PATH}/facts"))["facts"]] == [corrected["text"]]


def test_what_is_wrong_is_a_problem(client: httpx.Client) -> None:
    check_problem(client.get("/v1/banks/nobody/facts"), 404, "not-found")
    check_problem(client.put(f"{PATH}/facts/k7q-0/pin"), 404, "not-found")
    check_problem(client.delete(f"{PATH}/facts/%00"), 404, "not-found")
    assert client.post(f"{PATH}/facts/k7q-0/correct", json={"text": ""}).status_code == 422
    for name, value in (("at", "no time"), ("max_tokens", "0"), ("subject", " ")):
        assert client.get(f"{PATH}/facts", params={name: value}).status_code == 422, name
    assert client.get(f"{PATH}/facts", params={"at": "2026-03-03", "timezone": "Mars"}).status_code == 422


def test_a_context_has_facts(client: httpx.Client) -> None:
    body = {"reader": "text", "budget": 400, "query": "dessert for Friday", "facts": 100}
    assert len(ok(client.post(f"{PATH}/context", json=body))["fact_ids"]) == 2


def test_the_client_of_python(client: httpx.Client) -> None:
    with Client(str(client.base_url)) as memory:
        bakery, allergy = memory.facts("b").facts
        assert memory.pin_fact("b", bakery.fact_id).pinned
        assert not memory.pin_fact("b", bakery.fact_id, pinned=False).pinned
        assert memory.facts("b", at="2026-03-03").facts == [allergy]
        assert memory.correct_fact("b", allergy.fact_id, "My daughter may eat nuts.").kind == "constraint"
        assert memory.dismiss_fact("b", bakery.fact_id).fact_id == bakery.fact_id
        assert len(memory.facts("b").facts) == 1
