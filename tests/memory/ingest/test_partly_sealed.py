"""Messages that span several pages and tiers, pages sealed without their text, and fresh tiers that change."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from string import ascii_lowercase

import pytest
from support.search_doubles import indexed_terms

from foxing.memory import Memory, Policy
from foxing.memory.text.terms import terms

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WORDS = "The delivery is late again and nobody in the office knows why. "
LONG = {"id": "long", "role": "tool", "content": WORDS * 300, "created_at": START}  # a page and a half


@pytest.fixture
def memory(database_url: str) -> Iterator[Memory]:
    with Memory(database_url, clock=lambda: START + DAY) as opened:
        yield opened


@pytest.mark.slow
def test_partly_sealed_message_is_exact_until_its_last_part_is_sealed(memory: Memory, database_url: str) -> None:
    memory.store("ana", [LONG])
    assert memory.tick().sealed_pages == 1  # only what fills a page
    page = memory.pages("ana").pages[0]

    for now in (START + DAY, START + 10 * DAY):
        memory.age("ana", now=now)
        message = memory.message("ana", "long")
        assert (message.text, message.source) == (LONG["content"], "open")
        known = {"recall_weight": message.recall_weight, "keepsakes": message.keepsakes}
        assert [{**dict(span), **known} for span in memory.export("ana")] == [dict(message)]
        assert memory.store("ana", [LONG]).duplicates == 1
        assert memory.bank("ana").bytes.text >= len(WORDS * 300)
        assert indexed_terms(database_url, terms(WORDS))["long"] == set(terms(WORDS))
        images = memory.recall_images("ana", "delivery")
        assert [image.page_id for image in images.images] == [page.id]
        assert [span.message_id for span in images.open_spans] == ["long"]
    assert memory.page("ana", page.id).tier == "small"

    memory.seal("ana")

    message = memory.message("ana", "long")
    first, second = memory.pages("ana").pages
    assert {first.tier: first.text_kept, second.tier: second.text_kept} == {"small": False, "base": True}
    assert (message.source, message.tier, len(message.page_ids)) == ("decoded", "small", 2)
    assert message.text.endswith(WORDS * 90)  # the part on the fresh page is exact
    assert all(stop < len(message.text) - 90 * len(WORDS) for _, stop, _ in message.uncertain)
    assert memory.recall("ana", "delivery", fidelity="verbatim").spans == []
    memory.set_policy("ana", {"index": "faded"})
    memory.age("ana", now=START + 400 * DAY)
    message = memory.message("ana", "long")
    assert message.tier == "micro"
    assert indexed_terms(database_url, terms(WORDS)).get("long", set()) <= readable(message.text, message.uncertain)


def readable(text: str, uncertain: list[tuple[int, int, float]]) -> set[str]:
    """The terms of a text without the characters that may be misread."""
    flagged = {position for start, stop, _ in uncertain for position in range(start, stop)}
    return set(terms("".join(" " if position in flagged else c for position, c in enumerate(text))))


@pytest.mark.slow
def test_page_that_its_tier_does_not_hold_keeps_its_text_until_it_fades(memory: Memory, database_url: str) -> None:
    generator = random.Random(4)  # more than fits on a page at `micro`
    texts = [" ".join("".join(generator.choices(ascii_lowercase, k=7)) for _ in range(60)) for _ in range(12)]
    messages = [
        {"id": str(n), "role": "user", "content": f"{WORDS}{words}.", "created_at": START}
        for n, words in enumerate(texts)
    ]
    memory.store("ana", messages)
    memory.set_policy("ana", {"fresh": "micro", "steps": [], "keep_text": "until:large", "index": "faded"})
    said = terms(" ".join([WORDS, *texts]))
    before = indexed_terms(database_url, said)

    report = memory.seal("ana")

    page = memory.page("ana", report.pages[0])
    assert (page.tier, page.text_kept) == ("micro", True)
    assert indexed_terms(database_url, said) == before

    assert memory.age("ana").text_dropped == report.pages
    page = memory.page("ana", report.pages[0])
    assert (page.tier, page.text_kept) == ("micro", False)
    assert page.confidence < 1
    after = indexed_terms(database_url, said)
    for span in memory.export("ana"):
        assert span.source == "decoded"
        assert after.get(span.message_id, set()) <= readable(span.text, span.uncertain)
    assert sum(map(len, after.values())) < sum(map(len, before.values()))

    # its exact text is in the trash until the undo window ends
    assert memory.bank("ana").bytes.text == 0
    assert memory.bank("ana").bytes.trash > 0
    assert memory.age("ana", now=START + 9 * DAY).purged == 1
    assert memory.bank("ana").bytes.trash == 0


def test_higher_fresh_tier_drops_no_text_from_fresh_pages(memory: Memory) -> None:
    memory.store("ana", [{"id": "m", "role": "user", "content": WORDS, "created_at": START}])
    memory.seal("ana")
    memory.set_policy("ana", Policy(fresh="large"))
    assert memory.age("ana").text_dropped == []
    assert memory.message("ana", "m").source == "text"


def test_lower_fresh_tier_applies_to_fresh_pages_and_keeps_their_text(memory: Memory) -> None:
    memory.store("ana", [{"id": "m", "role": "user", "content": WORDS, "created_at": START}])
    memory.set_policy("ana", Policy(fresh="large"))
    memory.seal("ana")
    memory.set_policy("ana", Policy())
    report = memory.age("ana")
    assert [(move.from_tier, move.to_tier, move.drops_text) for move in report.moved] == [("large", "base", False)]
    assert memory.message("ana", "m").source == "text"


def test_dry_run_counts_purges_when_there_is_no_undo_window(memory: Memory) -> None:
    memory.store("ana", [{"id": "m", "role": "user", "content": WORDS, "created_at": START}])
    memory.seal("ana")
    memory.set_policy("ana", {"undo_window": "PT0S"})
    planned = memory.age("ana", now=START + 10 * DAY, dry_run=True)
    assert planned.purged == memory.age("ana", now=START + 10 * DAY).purged == 1


@pytest.mark.both_databases
def test_sizes_are_in_bytes(memory: Memory) -> None:
    texts = ("내일 회의는 오후 세 시입니다", "a\nb\nc", "🦊🦊", "")
    memory.store("ana", [{"role": "user", "content": text, "created_at": START} for text in texts])
    held = memory.bank("ana").bytes
    assert held.text == sum(len(text.encode()) for text in texts)
    memory.store("bo", [{"role": "user", "content": "x", "thread": "가" * 100}], idempotency_key="k")
    memory.store("cy", [{"role": "user", "content": "x", "thread": "a" * 100}])
    assert memory.bank("bo").bytes.metadata > memory.bank("cy").bytes.metadata + 2 * 200
    for name in ("ana", "bo", "cy"):
        held = memory.bank(name).bytes
        words = held.tokens + held.text + held.index + held.keepsakes + held.metadata + held.trash
        assert held.total == words + held.embeddings + held.records
        assert held.embeddings > 0


def test_ageing_at_the_latest_possible_time(memory: Memory) -> None:
    memory.store("ana", [{"id": "m", "role": "user", "content": WORDS, "created_at": START}])
    memory.seal("ana")
    assert len(memory.age("ana", now=datetime.max.replace(tzinfo=UTC)).moved) == 1


@pytest.mark.parametrize(
    ("available", "fresh", "steps"),
    [
        (("large", "base", "small", "tiny", "micro"), "base", ["small", "tiny", "micro"]),
        (("large", "tiny"), "large", ["tiny"]),
        (("small", "micro"), "small", ["micro"]),
        (("micro",), "micro", []),
    ],
)
def test_policy_is_reduced_to_the_tiers_of_the_codec(available: tuple[str, ...], fresh: str, steps: list[str]) -> None:
    served = Policy().served_by(dict.fromkeys(available))
    assert served.fresh == fresh
    assert [step.tier for step in served.steps] == steps
    assert served.keeps_text(fresh)
    assert Policy.parse(served.model_dump(mode="json")) == served
