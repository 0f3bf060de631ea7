"""Exact identifiers are found by themselves and come back exactly: each kind, at each tier, on short and full pages."""

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

import numpy as np
import pytest

from foxing.memory import Memory
from foxing.memory.ingest.keepsakes import find_keepsakes
from foxing.memory.pages.drawing import _kept
from foxing.memory.pages.splice import SplicedText
from foxing.renderer.fading import FadedText
from foxing.renderer.transcription import Transcription

pytestmark = pytest.mark.usefixtures("words_alone", "message_ages")

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
DUE = (("base", 0), ("small", 8), ("tiny", 31), ("micro", 366))


def digits(pick: random.Random, count: int) -> str:
    return "".join(pick.choice("123456789") for _ in range(count))


def hexadecimal(pick: random.Random, count: int) -> str:
    return "".join(pick.choice("0123456789abcdef") for _ in range(count))


Make = Callable[[random.Random], str]
KINDS: Mapping[str, Make] = MappingProxyType(
    {
        "URL": lambda p: f"https://shop.example.com/orders/{digits(p, 6)}?ref={hexadecimal(p, 8)}",
        "e-mail address": lambda p: f"mina.kim{digits(p, 4)}@example.com",
        "UUID": lambda p: str(UUID(int=p.getrandbits(128))),
        "hash": lambda p: f"f3{hexadecimal(p, 38)}",
        "abbreviated hash": lambda p: f"e1{hexadecimal(p, 5)}",
        "hash in upper case": lambda p: f"a4{hexadecimal(p, 12)}".upper(),
        "Windows path": lambda p: f"C:\\Users\\mina\\plan{digits(p, 4)}.txt",
        "Unix path": lambda p: f"/var/lib/app{digits(p, 4)}/cache.db",
        "path at home": lambda p: f"~/notes{digits(p, 4)}",
        "relative path": lambda p: f"src/memory/when{digits(p, 4)}.py",
        "IPv4 address": lambda p: f"10.{p.randrange(256)}.{p.randrange(256)}.{p.randrange(256)}:8{digits(p, 3)}",
        "IPv6 address": lambda p: f"fe80::{hexadecimal(p, 4)}:fe23:{hexadecimal(p, 4)}",
        "file": lambda p: f"report-{digits(p, 4)}.pdf",
        "host": lambda p: f"db{digits(p, 4)}.internal:5432",
        "date": lambda p: f"20{p.randrange(10, 25)}-0{digits(p, 1)}-1{digits(p, 1)}",
        "time": lambda p: f"2025-03-1{digits(p, 1)}T1{digits(p, 1)}:2{digits(p, 1)}:4{digits(p, 1)}Z",
        "ticket": lambda p: f"TIT-{digits(p, 5)}",
        "number of a ticket": lambda p: f"#{digits(p, 5)}",
        "version": lambda p: f"v{digits(p, 1)}.{digits(p, 2)}.{digits(p, 2)}-rc{digits(p, 1)}",
        "telephone number": lambda p: f"+82 10-{digits(p, 4)}-{digits(p, 4)}",
        "key": lambda p: f"call_fF{hexadecimal(p, 6)}RMd8mQb{hexadecimal(p, 6)}",
        "long number": lambda p: digits(p, 10),
        "amount": lambda p: f"${digits(p, 2)},{digits(p, 3)}.{digits(p, 2)}",
        "number with a unit": lambda p: f"{digits(p, 2)}.{digits(p, 2)} GB",
        "Korean amount": lambda p: f"{digits(p, 1)},{digits(p, 3)}만 원",
        "time of day": lambda p: f"1{digits(p, 1)}:3{digits(p, 1)}",
        "decimal": lambda p: f"{digits(p, 3)}.{digits(p, 4)}",
    }
)
SAID = (
    "the one for the order is {} as far as I know",
    "please write down {} for me before you go",
    "we settled on {} after a long talk with the others",
    "{} was what the server said this morning",
    "so it is {} and not what I told you last week",
)
TALK = (
    "I thought about it for a while and I am still not sure whether we should go there in spring.",
    "The weather was lovely, so we walked along the river and talked about the old days until it got dark.",
    "My sister laughed a lot when she heard about it, and then she told me a story about the neighbours.",
    "Do you remember the small bakery at the corner where we used to buy bread on Sundays?",
    "It took me the whole afternoon to tidy the garage, and I found some photographs which I thought were lost.",
    "He said he would call me back, but I have not heard anything from him since then.",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("beside", "per_page"),
    [
        pytest.param(0, 1, id="one"),
        pytest.param(8, None, id="as many as fit"),
    ],
)
def test_identifiers_are_found_and_shown_exactly_at_every_tier(
    database_url: str, beside: int, per_page: int | None
) -> None:
    """`beside`: messages between two with an identifier; `per_page`: messages of a page."""
    pick = random.Random(5)
    said = {kind: make(pick) for kind, make in KINDS.items()}
    talk = []
    for kind, identifier in said.items():
        talk.append({"id": kind, "role": "user", "content": pick.choice(SAID).format(identifier)})
        talk += [{"role": "assistant", "content": f"{pick.choice(TALK)} {pick.choice(TALK)}"} for _ in range(beside)]
    for number, message in enumerate(talk):
        message["created_at"] = START + timedelta(minutes=number)
    clock = [START + timedelta(hours=12)]
    with Memory(database_url, clock=lambda: clock[0]) as memory:
        for first in range(0, len(talk), per_page or len(talk)):
            memory.store("ana", talk[first : first + (per_page or len(talk))])
            memory.seal("ana")
        for tier, days in DUE:
            clock[0] = START + timedelta(days=days, hours=12)
            memory.age("ana")
            assert {page.tier for page in memory.pages("ana", limit=100).pages} == {tier}
            found = {kind: memory.recall("ana", identifier, limit=1).spans for kind, identifier in said.items()}
            wrong = {
                kind: [span.text for span in spans]
                for kind, spans in found.items()
                if [span.message_id for span in spans] != [kind] or said[kind] not in spans[0].text
            }
            # on a page of one line, what is misread beside an identifier may fade into one gap with it
            allowed = 1 if per_page == 1 and tier == "micro" else 0
            assert len(wrong) <= allowed, f"at {tier}: {wrong}"


def test_every_kind_is_an_identifier() -> None:
    pick = random.Random(7)
    for kind, make in KINDS.items():
        text = SAID[0].format(identifier := make(pick))
        assert identifier in [text[start:stop] for start, stop, _ in find_keepsakes(text)], kind


def test_a_date_on_which_nothing_was_said_is_found_where_it_is_named(database_url: str) -> None:
    with Memory(database_url, clock=lambda: START + timedelta(days=40)) as memory:
        for number, text in enumerate(
            ("born on 1994-08-20", "the fair is on 2026-01-06", "an ordinary day", "1994-08-20")
        ):
            at = START + timedelta(days=number)
            memory.store("ana", [{"id": f"m{number}", "role": "user", "content": text, "created_at": at}])
        memory.store(
            "ana", [{"id": "other", "role": "user", "content": "1994-08-20", "thread": "t", "created_at": START}]
        )
        named = memory.recall("ana", "1994-08-20", limit=2)
        rest = memory.recall("ana", "1994-08-20", limit=2, cursor=named.next_cursor)
        assert {span.message_id for span in (*named.spans, *rest.spans)} >= {"m0", "m3", "other"}
        assert len({span.message_id for span in (*named.spans, *rest.spans)}) == len(named.spans) + len(rest.spans)
        assert memory.recall("ana", "1994-08-20", thread="t").spans[0].message_id == "other"
        assert [span.message_id for span in memory.recall("ana", "2026-01-06").spans] == ["m1"]  # said on that day
        assert memory.recall("ana", "3 weeks ago").spans == []


def left_of(said: str, text: str, origin: list[int]) -> FadedText:
    return FadedText(text, frozenset(n for n, c in enumerate(text) if c == "⋯"), np.array(origin))


@pytest.mark.parametrize(
    ("said", "keepsake", "left", "origin", "kept"),
    [
        ("320985653,; ₩509659013.21 °C; ¥87", (0, 9), "⋯ C ⋯", [0, 9, 27, 28, 28], {}),
        ("320985653,; ₩509 °C", (0, 9), "⋯ ₩509 ⋯", [0, 0, 12, 13, 14, 15, 16, 16], {(0, 1): "320985653,;"}),
        ("v2.23.142,±€9", (0, 9), "⋯ €9", [0, 0, 11, 12], {(0, 2): "v2.23.142,±"}),
        ("seat 5B, and ⋯ takes", (5, 7), "seat ⋯ takes", [0, 1, 2, 3, 5, 5, 5, 15, 16, 17, 18, 19], {}),
        ("see a7f3c9e.", (4, 11), "see ⋯", [0, 1, 2, 4, 4], {(4, 5): "a7f3c9e."}),
        ("id=a7f3c9e or", (3, 10), "id= ⋯ or", [0, 1, 2, 3, 3, 3, 11, 12], {(3, 5): "a7f3c9e"}),
    ],
)
def test_an_identifier_in_the_place_of_a_gap_hides_nothing(
    said: str, keepsake: tuple[int, int], left: str, origin: list[int], kept: dict[tuple[int, int], str]
) -> None:
    """Its punctuation comes back with it; where a word has faded beside it, the gap stays."""
    read = Transcription(said, np.ones(len(said), np.float32), np.arange(len(said)), np.zeros(0, np.int64))
    assert _kept(SplicedText(read, [keepsake]), left_of(said, left, origin), (0, len(said))) == kept
