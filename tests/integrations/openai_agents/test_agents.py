"""Sessions of many agents, lost answers, and bad input."""

import asyncio
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from agents import TResponseInputItem

from foxing.integrations.client import ServiceOptions, Target, TimedOut, Unreachable, connect
from foxing.integrations.openai_agents import FoxingSession
from foxing.memory import InvalidInput, Memory

from ..client.lossy import lossy_server
from ..conftest import Service, slow_over_http
from ..deletion import delete_bank

AGENTS = 100


def said(*texts: str) -> list[TResponseInputItem]:
    return [{"role": "user", "content": text} for text in texts]


async def agents_talk(target: Target, bank: str) -> list[list[TResponseInputItem]]:
    """Each agent has a session of its own and adds to one that all share; what each of the sessions holds."""
    connection = connect(target, bank)
    shared = FoxingSession(connection, "shared")

    async def agent(number: int) -> list[TResponseInputItem]:
        session = FoxingSession(connection, f"agent-{number}")
        await session.add_items(said(f"{number} asks", f"{number} answers"))
        await shared.add_items(said("the same", f"{number}"))
        return await session.get_items()

    async with connection:
        return [*await asyncio.gather(*map(agent, range(AGENTS))), await shared.get_items()]


@pytest.mark.slow
@slow_over_http
def test_a_hundred_agents_at_once_lose_nothing_and_mix_nothing_up(target: Target, bank: str) -> None:
    *own, shared = asyncio.run(agents_talk(target, bank))
    assert own == [said(f"{number} asks", f"{number} answers") for number in range(AGENTS)]
    pairs = [(shared[place].get("content"), shared[place + 1].get("content")) for place in range(0, 2 * AGENTS, 2)]
    assert Counter(pairs) == {("the same", f"{number}"): 1 for number in range(AGENTS)}
    with connect(target, bank) as connection:
        spans = connection.run(lambda memory: memory.recall(bank, limit=500)).spans
    own_texts = {(f"agent-{n}", f"{n} {verb}"): 1 for n in range(AGENTS) for verb in ("asks", "answers")}
    shared_texts = {("shared", f"{n}"): 1 for n in range(AGENTS)} | {("shared", "the same"): AGENTS}
    assert Counter((span.thread, span.text) for span in spans) == own_texts | shared_texts


def test_a_lost_answer_stores_nothing_twice(service: Service, bank: str) -> None:
    async def use(url: str, lose: int) -> list[TResponseInputItem]:
        async with FoxingSession.connect(url, bank, "lossy") as session:
            lossy.lose = lose
            await session.add_items(said("once", "only"))
            return await session.get_items()

    with lossy_server(service.url) as lossy:
        assert asyncio.run(use(lossy.url, 3)) == said("once", "only")
    assert [message.text for message in service.memory.recall(bank).spans] == ["once", "only"]


def test_adding_again_after_an_error_stores_nothing_twice(service: Service, bank: str) -> None:
    async def use(url: str) -> list[TResponseInputItem]:
        async with FoxingSession.connect(ServiceOptions(url, retry_for_s=0.05), bank, "lossy") as session:
            for lost in (20, 20):
                lossy.lose = lost
                with pytest.raises(Unreachable):
                    await session.add_items(said("once", "only"))
            lossy.lose = 0
            await session.add_items(said("once", "only"))
            await session.add_items(said("once", "only"))  # said again
            return await session.get_items()

    with lossy_server(service.url) as lossy:
        assert asyncio.run(use(lossy.url)) == said("once", "only") * 2
    assert [message.text for message in service.memory.recall(bank).spans] == ["once", "only"] * 2


def test_a_service_that_is_down_or_slow_is_an_error_that_says_so(bank: str) -> None:
    async def use(options: ServiceOptions, error: type[Exception]) -> None:
        async with FoxingSession.connect(options, bank, "chat") as session:
            with pytest.raises(error):
                await session.get_items()
            with pytest.raises(error):
                await session.add_items(said("hello"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        asyncio.run(use(ServiceOptions(url, timeout_s=0.1), TimedOut))
    asyncio.run(use(ServiceOptions(url, retry_for_s=0.1), Unreachable))


def test_a_bank_deleted_under_a_running_agent_is_an_empty_one(tmp_path: Path, bank: str) -> None:
    async def use(memory: Memory) -> None:
        session = FoxingSession.connect(memory, bank, "chat")
        await session.add_items(said("old"))
        delete_bank(tmp_path / "foxing.db", bank)
        assert (await session.get_items(), await session.pop_item()) == ([], None)
        await session.add_items(said("new"))
        assert await session.get_items() == said("new")

    with Memory(tmp_path / "foxing.db") as memory:
        asyncio.run(use(memory))


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([{"role": "user", "content": "fine"}, {"role": "user", "content": {1, 2}}], "item 1.content is of type set"),
        (["text"], "item 0 is not an object"),
        ([{"role": "user", "content": "\ud800"}], "surrogate"),
        ([{"role": "user", "content": "x" * (1 << 20)}], "split the record"),
    ],
)
def test_an_item_that_would_not_come_back_is_refused(target: Target, bank: str, items: Any, reason: str) -> None:
    async def use() -> list[TResponseInputItem]:
        async with FoxingSession.connect(target, bank, "chat") as session:
            with pytest.raises(InvalidInput, match=reason):
                await session.add_items(items)
            return await session.get_items()

    assert asyncio.run(use()) == []


@pytest.mark.parametrize("session_id", ["", "x" * 201, "a\nb"])
def test_an_invalid_session_id_is_refused_at_once(tmp_path: Path, session_id: str) -> None:
    with pytest.raises(InvalidInput, match="not a valid conversation id"):
        FoxingSession.connect(tmp_path / "agent.db", "ana", session_id)
