from itertools import pairwise

import pytest

from foxing.memory.ingest.keepsakes import Keepsake, find_keepsakes, within_budget

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")


def kept(text: str) -> list[str]:
    return [text[start:stop] for start, stop, _ in find_keepsakes(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id 123e4567-e89b-12d3-a456-426614174000!", ["123e4567-e89b-12d3-a456-426614174000"]),
        ("commit 3f2a9bc, not deadbee nor decade", ["3f2a9bc"]),
        ("sha256:9f86d081884c7d659a2feaa0c55ad015", ["sha256:9f86d081884c7d659a2feaa0c55ad015"]),
        ("(see https://example.org/a_(b)?x=1).", ["https://example.org/a_(b)?x=1"]),
        ("문서는 https://example.org/문서 에 있다", ["https://example.org/문서"]),
        ("write to mina.k+a@example.com.", ["mina.k+a@example.com"]),
        ("in src/memory/when.py and /etc/hosts and ~/x", ["src/memory/when.py", "/etc/hosts", "~/x"]),
        ("C:\\Users\\mina\\plan.txt", ["C:\\Users\\mina\\plan.txt"]),
        (
            "10.0.0.1:8080, 192.168.1.0/24, fe80::1ff:fe23:4567",
            ["10.0.0.1:8080", "192.168.1.0/24", "fe80::1ff:fe23:4567"],
        ),
        ("TIT-142 is #17", ["TIT-142", "#17"]),
        ("call +82 10-1234-5678 or (555) 123-4567", ["+82 10-1234-5678", "(555) 123-4567"]),
        ("at 2026-03-04T10:00:00Z or 2026-03-05", ["2026-03-04T10:00:00Z", "2026-03-05"]),
        ("v2.4.1-rc1 after 2.4.0", ["v2.4.1-rc1", "2.4.0"]),
        ("order 1718000000", ["1718000000"]),
        ("call_fFijCIRMd8mQbayiOigIStrj", ["call_fFijCIRMd8mQbayiOigIStrj"]),
        ("3.5 GB in 200 ms, 30% of $1,200.50", ["3.5 GB", "200 ms", "30%", "$1,200.50"]),
        ("예산은 1,250만 원, ₩35,000, 3개", ["1,250만 원", "₩35,000", "3개"]),
        ("red/green and/or 5 apples, e.g. this. Then", []),
        ("", []),
    ],
)
def test_kinds_of_identifiers(text: str, expected: list[str]) -> None:
    assert kept(text) == expected


def test_ranges_ascend_and_do_not_overlap() -> None:
    text = "https://example.org/v1.2.3/2026-03-04/123e4567-e89b-12d3-a456-426614174000?n=12345 at 10:30, 12 kg. " * 20
    ranges = find_keepsakes(text)
    assert len(ranges) == 60
    assert all(a.stop <= b.start for a, b in pairwise(ranges))


def test_lowest_rank_comes_first_when_the_budget_is_short() -> None:
    uuid = "123e4567-e89b-12d3-a456-426614174000"
    text = "weighs 12 kg and 13 kg " * 10 + uuid
    assert [text[start:stop] for start, stop, _ in within_budget(find_keepsakes(text), len(text), share=0.15)] == [uuid]
    assert within_budget(find_keepsakes(text), len(text), share=1.0) == find_keepsakes(text)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05, 0.2])
def test_budget_is_not_exceeded(share: float) -> None:
    text = "see 3f2a9bc at https://example.org/a, 12 kg, v1.2.3, 2026-03-04 " * 30
    chosen = within_budget(find_keepsakes(text), len(text), share)
    assert sum(stop - start for start, stop, _ in chosen) <= share * len(text)
    assert chosen == sorted(chosen)


def test_equal_ranks_are_taken_in_order() -> None:
    keepsakes = [Keepsake(start, start + 4, rank=0) for start in (0, 10, 20)]
    assert within_budget(keepsakes, 100, share=0.08) == keepsakes[:2]


@pytest.mark.parametrize("unit", ["a", "1", "a1", "/a", "a.b", "1-", "ab:", "1,000", "a@", "-a1", "1 "])
def test_repetitive_text_does_not_backtrack_forever(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    assert all(0 <= start < stop <= len(text) for start, stop, _ in find_keepsakes(text))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "unit"),
    [
        ("https://x.y/", ")"),
        ("https://x.y/", "),]}."),
        ("https://x.y/" + "(" * 400_000, ")"),
        ("", "http://a)"),
        ("", "12:30 "),
    ],
)
def test_a_million_characters_take_linear_work(start: str, unit: str) -> None:
    text = start + unit * ((1_000_000 - len(start)) // len(unit))
    assert all(0 <= begin < stop <= len(text) for begin, stop, _ in find_keepsakes(text))


def test_closing_brackets_end_an_address_only_if_it_opened_none() -> None:
    for text, address in (
        ("(https://x.y/a).", "https://x.y/a"),
        ("https://x.y/a_(b))", "https://x.y/a_(b)"),
        ("https://x.y/[a](b)])", "https://x.y/[a](b)"),
        ("https://x.y/a)](b)", "https://x.y/a)](b"),
    ):
        assert kept(text) == [address]
