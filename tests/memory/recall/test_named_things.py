"""Questions that name an order, a file or a person by an identifier."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.embedder import NONE
from foxing.memory.text.identifiers import identifiers_in
from foxing.memory.text.terms import query_terms

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ORDERS = 24
ITEMS = ("Espresso Machine", "Garden Hose", "Action Camera", "E-Reader", "Desk Lamp", "Backpack", "Patio Umbrella")


def result(order: int, random: Random) -> str:
    """What a tool returns for an order."""
    items = [
        {"name": name, "item_id": str(random.randrange(10**9, 10**10)), "price": random.randrange(2_000, 90_000) / 100}
        for name in random.sample(ITEMS, 5)
    ]
    return json.dumps(
        {
            "order_id": f"#W{1_000_000 + order}",
            "user_id": f"customer_{4_000 + order}",
            "address": {"street": f"{order} Laurel Lane", "city": "Seattle", "zip": str(98_100 + order)},
            "items": items,
            "status": "delivered",
            "fulfillments": [{"tracking_id": [str(10**11 + order)], "item_ids": [each["item_id"] for each in items]}],
            "payment_history": [{"transaction_type": "payment", "payment_method_id": f"paypal_{order}"}],
        }
    )


@pytest.fixture(params=["use", NONE])
def memory(request: pytest.FixtureRequest, database_url: str) -> Iterator[Memory]:
    random = Random(7)
    with Memory(database_url, options=MemoryOptions(embedder=request.param), clock=lambda: NOW) as opened:
        for order in range(ORDERS):
            said = [
                ("user", "Can you tell me the status and the tracking id of my order?"),
                ("assistant", "Could you please give me the order id, so that I can look up its tracking id?"),
                ("user", "I'm sorry, I don't have the order id with me. Is there a tracking number?"),
                ("tool", result(order, random)),
                ("assistant", "Your order has been delivered. Would you like to have its tracking id?"),
            ]
            at = NOW - timedelta(days=ORDERS - order)
            messages = [
                {"id": f"{order}-{n}", "role": role, "content": text, "created_at": at + timedelta(minutes=n)}
                for n, (role, text) in enumerate(said)
            ]
            opened.store("shop", messages, thread=f"customer {order}")
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("order", [3, 11, 20])
def test_a_result_is_found_by_the_order_that_a_question_names(memory: Memory, order: int) -> None:
    for question in (
        f"What is the tracking id of order #W{1_000_000 + order}?",
        f"Which status has order W{1_000_000 + order}, and was there a tracking number?",
        f"What did customer_{4_000 + order} order?",
    ):
        assert memory.recall("shop", question, limit=3).spans[0].message_id == f"{order}-3", question


@pytest.mark.slow
def test_a_passage_of_a_long_result_is_found_by_what_it_alone_names(memory: Memory) -> None:
    rows = [
        f"Order #{n} went to customer {n * 7 % 1000} in aisle {n % 90} on truck {n % 13}." for n in range(3000, 6000)
    ]
    memory.store("shop", [{"role": "user", "content": f"ok {n}", "created_at": NOW} for n in range(1_500)])
    memory.store("shop", [{"id": "rows", "role": "tool", "content": " ".join(rows), "created_at": NOW}])
    for question in ("order #5123", "Where did order #5123 go?"):
        assert "Order #5123 went to" in memory.recall("shop", question, max_tokens=2_000).spans[0].text, question


@pytest.mark.slow
def test_an_identifier_that_nobody_said_changes_nothing(memory: Memory) -> None:
    plain = [span.message_id for span in memory.recall("shop", "what is the tracking id of the order?").spans]
    named = memory.recall("shop", "what is the tracking id of the order W7777777?").spans
    assert [span.message_id for span in named] == plain


@pytest.mark.slow
def test_the_parts_of_a_score_still_add_up(memory: Memory) -> None:
    scores = memory.recall("shop", "What is the tracking id of order #W1000011?", limit=20, explain=True).scores
    assert scores[0].message_id == "11-3"
    for each in scores:
        total = (each.words + each.meaning + each.neighbours) * each.preference
        assert each.score == pytest.approx(total, rel=0.01)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what is in order #W6876713?", {"w6876713"}),
        ("who is ana@example.com?", {"ana@example.com"}),
        ("why does main.py fail?", {"main.py"}),
        ("where is test_sonnet_and_cache used?", {"test_sonnet_and_cache"}),
        ("what came of ticket JIRA-1234?", {"jira-1234", "1234"}),
        ("when was the 5K run of 15th August 2023, or in 1999?", set()),
        ("what was decided on 2026-03-04, and in 2026-03?", set()),
        ("which 300 of the self-care ideas and/or plans did she like?", set()),
    ],
)
def test_terms_that_name_one_thing(question: str, expected: set[str]) -> None:
    assert identifiers_in(query_terms(question)) == expected
