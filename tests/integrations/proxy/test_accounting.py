"""What passes is accounted for."""

from pathlib import Path

import httpx
import pytest

from foxing.integrations.outbox.file import states
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import Memory
from tests.upstream import Upstream

from .conftest import BANK, StartProxy
from .sessions import PlayedSession


@pytest.mark.parametrize("wire", ["anthropic", "openai", "openai-responses"])
@pytest.mark.slow
def test_each_call_is_recorded_with_what_its_original_would_have_been(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory, wire: str
) -> None:
    session = PlayedSession(wire, upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **{"x-foxing-session": "s"})
    proxy.close()
    savings = memory.savings(BANK, by="session")
    (row,) = savings.rows
    bills = [call.bill for call in upstream.calls if call.bill is not None]
    assert row.key == "s"
    assert row.calls == 26
    assert row.folded_calls == sum(session.folds)
    assert row.fresh_tokens == sum(bill.fresh for bill in bills)
    assert row.read_tokens == sum(bill.read for bill in bills)
    assert row.written_tokens == sum(bill.written + bill.written_long for bill in bills)
    assert row.billed == pytest.approx(sum(bill.price for bill in bills), rel=0.01)
    # the same session sent whole
    whole = Upstream(clock=upstream.clock).start()
    with httpx.Client(timeout=60) as http:
        again = PlayedSession(wire, whole)
        again.play(http, whole.url, 26)
    whole.close()
    assert row.original_tokens == pytest.approx(sum(call.bill.input for call in whole.calls if call.bill), rel=0.05)
    assert row.original == pytest.approx(whole.total.price, rel=0.1)


@pytest.mark.slow
def test_the_provider_counts_the_original(proxy: BackgroundProxy, upstream: Upstream, memory: Memory) -> None:
    session = PlayedSession("anthropic", upstream, thinks=False)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 44, **{"x-foxing-session": "s"})
    made = sum(number for name, number in proxy.proxy.status()["folds"].items() if name.startswith("fold "))
    proxy.close()
    assert sum(session.folds) > 3
    assert memory.savings(BANK).rows[0].counted_calls == 44
    assert 0 < made < sum(session.folds)
    assert sum(call.wire == "count_tokens" for call in upstream.exchanges) == made
    assert not upstream.refused


def test_calls_wait_in_the_outbox_for_a_bank_that_starts_later(
    start: StartProxy, upstream: Upstream, memory: Memory, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    first = start(str(tmp_path / "file" / "bank.db"))
    session = PlayedSession("openai", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, first.url, 3, **{"x-foxing-session": "s"})
        first.close()
        assert [each.entries for each in states(tmp_path / "proxy.db") if "calls" in each.scope] == [3]
        second = start()
        session.play(http, second.url, 1, **{"x-foxing-session": "s"})
    second.close()
    assert [each.calls for each in memory.savings(BANK).rows] == [4]
    assert [each.entries for each in states(tmp_path / "proxy.db")] == [0, 0]
