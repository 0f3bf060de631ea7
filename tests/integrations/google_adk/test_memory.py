"""Memory service: what sessions say is found by the same user's later sessions."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.adk.agents import LlmAgent
from google.adk.events.event import Event
from google.adk.memory.memory_entry import MemoryEntry
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.adk.sessions.session import Session
from google.adk.tools import load_memory, preload_memory
from google.genai import types

from foxing.integrations.client import Target, connect
from foxing.integrations.google_adk import FoxingMemoryService
from foxing.memory import InvalidInput

from .scripted import Scripted, call, user

Use = Callable[[FoxingMemoryService], Awaitable[None]]
ANA = {"app_name": "guide", "user_id": "ana"}
BEN = {"app_name": "guide", "user_id": "ben"}


def run(target: Target, bank: str, use: Use, **fields: Any) -> None:
    async def main() -> None:
        async with FoxingMemoryService.connect(target, bank, **fields) as memory:
            await use(memory)

    asyncio.run(main())


def event(text: str, number: int = 1, author: str = "user") -> Event:
    role = "user" if author == "user" else "model"
    content = types.Content(role=role, parts=[types.Part(text=text)])
    return Event(author=author, id=f"e{number}", timestamp=1_764_000_000.0 + number, content=content)


def session(*events: Event, session_id: str = "s", **who: str) -> Session:
    return Session(id=session_id, events=list(events), **{**ANA, **who})


def spans(target: Target, bank: str) -> list[tuple[str, str | None, str]]:
    with connect(target, bank) as connection:
        found = connection.run(lambda memory: memory.recall(bank, limit=500)).spans
        return [(span.role, span.name, span.text) for span in found]


async def texts(memory: FoxingMemoryService, query: str, **who: str) -> list[str | None]:
    found = await memory.search_memory(query=query, **{**ANA, **who})
    return [(each.content.parts or [types.Part()])[0].text for each in found.memories]


def test_what_a_session_says_is_found_once(target: Target, bank: str) -> None:
    async def use(memory: FoxingMemoryService) -> None:
        assert await texts(memory, "When do we ship Titan?") == []
        first = session(event("We ship Titan on 14 March."), event("Noted.", 2, author="guide"))
        await memory.add_session_to_memory(first)
        first.events.append(event("I drink tea, never coffee.", 3))
        await memory.add_session_to_memory(first)  # the session goes on
        (found,) = (await memory.search_memory(**ANA, query="When do we ship Titan?")).memories[:1]
        assert found.content == types.Content(role="user", parts=[types.Part(text="We ship Titan on 14 March.")])
        assert found.author == "user"
        assert found.timestamp is not None
        assert found.timestamp.startswith("2025-11-24T16:00:01")
        assert found.custom_metadata["kept"] == 1.0
        assert await texts(memory, "zebras, oboes, algae, quarks and gluons") == []
        assert await texts(memory, " ") == []

    run(target, bank, use)
    assert spans(target, bank) == [
        ("user", None, "We ship Titan on 14 March."),
        ("assistant", "guide", "Noted."),
        ("user", None, "I drink tea, never coffee."),
    ]


def test_users_and_apps_are_apart(target: Target, bank: str) -> None:
    async def use(memory: FoxingMemoryService) -> None:
        await memory.add_session_to_memory(session(event("We ship Titan on 14 March.")))
        await memory.add_session_to_memory(session(event("We ship Titan on 2 April."), user_id="ben"))
        await memory.add_session_to_memory(session(event("We ship Titan on 9 May."), app_name="other"))
        for who, when in ((ANA, "14 March"), (BEN, "2 April"), ({"app_name": "other"}, "9 May")):
            assert await texts(memory, "When do we ship Titan?", **who) == [f"We ship Titan on {when}."]
        (ours,) = (await memory.search_memory(**BEN, query="Titan")).memories
        await memory.delete_memory(**ANA, memory_id=ours.id)  # another's memory is not there
        assert await texts(memory, "Titan", **BEN) == ["We ship Titan on 2 April."]
        await memory.delete_memory(**BEN, memory_id=ours.id)
        await memory.delete_memory(**BEN, memory_id=ours.id)
        assert await texts(memory, "Titan", **BEN) == []
        with pytest.raises(InvalidInput, match="memory_id"):
            await memory.delete_memory(**BEN)

    run(target, bank, use)


def test_events_and_memories(target: Target, bank: str) -> None:
    tool = types.Part(function_response=types.FunctionResponse(id="c", name="opens", response={"from": "10:00"}))
    parts = [types.Part(text="secret thought", thought=True), call("opens", museum="Munch Museum"), tool]
    mixed = Event(author="guide", id="e2", content=types.Content(role="model", parts=parts), timestamp=1_764_000_002.0)

    async def use(memory: FoxingMemoryService) -> None:
        await memory.add_events_to_memory(**ANA, events=[event("We ship Titan on 14 March."), mixed], session_id="s")
        await memory.add_events_to_memory(**ANA, events=[event("We ship Titan on 14 March.")], session_id="s")
        await memory.add_events_to_memory(**ANA, events=[Event(author="user")], custom_metadata={"kind": "note"})
        entry = MemoryEntry(id="m1", content=user("Mina eats no fish."), timestamp="2026-03-01T10:00:00Z")
        for _ in range(2):
            await memory.add_memory(**ANA, memories=[entry], custom_metadata={"kind": "diet"})
        await memory.add_memory(**ANA, memories=[MemoryEntry(content=user("Mina sails."), author="guide")])
        (found,) = (await memory.search_memory(**ANA, query="Does Mina eat fish?")).memories[:1]
        assert found.timestamp == "2026-03-01T10:00:00+00:00"
        assert found.custom_metadata["kind"] == "diet"
        with pytest.raises(InvalidInput, match="custom_metadata"):
            await memory.add_memory(**ANA, memories=[entry], custom_metadata={"when": object()})

    run(target, bank, use)
    found = spans(target, bank)
    assert ("assistant", "guide", "Mina sails.") in found
    assert [role for role, _, text in found if "10:00" in text] == ["tool"]
    assert len(found) == 5
    assert "secret thought" not in str(found)


def test_an_agent_loads_its_memory(target: Target, bank: str) -> None:
    async def use(memory: FoxingMemoryService) -> None:
        sessions = InMemorySessionService()
        model = Scripted(answers=["Noted.", call("load_memory", query="When do we ship Titan?"), "On 14 March."])
        agent = LlmAgent(name="guide", model=model, tools=[load_memory, preload_memory])
        runner = Runner(app_name="guide", agent=agent, session_service=sessions, memory_service=memory)
        for session_id, text in (("a", "We ship Titan on 14 March."), ("b", "When do we ship Titan?")):
            await sessions.create_session(**ANA, session_id=session_id)
            async for _ in runner.run_async(user_id="ana", session_id=session_id, new_message=user(text)):
                pass
            ended = await sessions.get_session(**ANA, session_id=session_id)
            assert ended is not None
            await memory.add_session_to_memory(ended)
        for sent in model.sent[1:]:  # what is preloaded stands in a user's content, not among the instructions
            assert "14 March" in str([each for each in sent.contents if each.role == "user"])
            assert "14 March" not in str(sent.config.system_instruction)
        responses = [part.function_response for each in model.sent[-1].contents for part in each.parts or ()]
        assert any("We ship Titan on 14 March." in str(each.response) for each in responses if each is not None)
        await runner.close()

    run(target, bank, use)
