"""Session service: sessions, events and state as ADK's own services keep them, and runs of agents."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.adk.agents import LlmAgent
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.adk.sessions.base_session_service import BaseSessionService, GetSessionConfig
from google.adk.sessions.session import Session
from google.adk.tools.tool_context import ToolContext
from google.genai import types

from foxing.integrations.client import ServiceOptions, Target, Unreachable
from foxing.integrations.google_adk import FoxingSessionService
from foxing.memory import InvalidInput

from ..client.lossy import lossy_server
from ..conftest import Service
from .scripted import Scripted, call, user

Use = Callable[[FoxingSessionService], Awaitable[None]]
#: After the time at which a session is made.
LATER = 4e9
ANA = {"app_name": "guide", "user_id": "ana"}


def run(target: Target, bank: str, use: Use) -> None:
    async def main() -> None:
        async with FoxingSessionService.connect(target, bank) as sessions:
            await use(sessions)

    asyncio.run(main())


@asynccontextmanager
async def both(target: Target, bank: str) -> AsyncIterator[list[BaseSessionService]]:
    """ADK's own service and this one."""
    async with FoxingSessionService.connect(target, bank) as sessions:
        yield [InMemorySessionService(), sessions]


def said(text: str, **fields: Any) -> Event:
    delta = fields.pop("state", {})
    fields = {"author": "user", "id": f"event-{text}", "timestamp": 1_000.0, **fields}
    return Event(content=user(text), actions=EventActions(state_delta=delta), invocation_id="i", **fields)


async def story(sessions: BaseSessionService) -> list[object]:
    """What a service returns along the life of sessions."""
    seen: list[object] = []

    def note(session: Session | None) -> None:
        seen.append(None if session is None else (session.id, session.state, session.events, session.user_id))

    note(await sessions.get_session(**ANA, session_id="s1"))
    state = {"city": "Oslo", "app:version": 3, "user:name": "Ana", "temp:scratch": 1}
    first = await sessions.create_session(**ANA, state=dict(state), session_id=" s1 ")
    note(first)
    other = await sessions.create_session(app_name="guide", user_id="ben", session_id="s1")
    note(other)
    await sessions.append_event(first, said("one", timestamp=LATER + 1, state={"city": "Bergen"}))
    partial = said("part", partial=True, state={"city": "Rome"})
    assert await sessions.append_event(first, partial) is partial
    delta = {"user:name": "Anna", "app:version": {"major": [4]}, "temp:scratch": 2, "nothing": None}
    second = said("two", timestamp=LATER + 2, state=delta)
    appended = await sessions.append_event(first, second)
    seen.append(sorted(appended.actions.state_delta))
    note(first)  # the session in memory has the temporary state
    note(await sessions.get_session(**ANA, session_id="s1"))
    note(await sessions.get_session(app_name="guide", user_id="ben", session_id="s1"))
    await sessions.append_event(first, said("three", timestamp=LATER + 3))
    for config in (
        GetSessionConfig(num_recent_events=2),
        GetSessionConfig(num_recent_events=0),
        GetSessionConfig(num_recent_events=9),
        GetSessionConfig(after_timestamp=second.timestamp),
        GetSessionConfig(after_timestamp=second.timestamp, num_recent_events=1),
    ):
        found = await sessions.get_session(**ANA, session_id="s1", config=config)
        assert found is not None
        seen.append([event.id for event in found.events])
    await sessions.create_session(**ANA, session_id="s2")
    for user_id in ("ana", "nobody", None):
        listed = await sessions.list_sessions(app_name="guide", user_id=user_id)
        seen.append([(each.user_id, each.id, each.state, each.events) for each in listed.sessions])
    seen.append((await sessions.list_sessions(app_name="no-such-app")).sessions)
    seen.append([await sessions.get_user_state(app_name="guide", user_id=name) for name in ("ana", "ben")])
    with pytest.raises(AlreadyExistsError):
        await sessions.create_session(**ANA, session_id="s1")
    await sessions.delete_session(**ANA, session_id="s1")
    await sessions.delete_session(**ANA, session_id="no-such-session")
    note(await sessions.get_session(**ANA, session_id="s1"))
    with pytest.raises(SessionNotFoundError):
        await sessions.append_event(first, said("late", timestamp=LATER + 4))
    note(await sessions.create_session(**ANA, session_id="s1"))  # the state of the user and the app stays
    return seen


def test_it_does_what_the_framework_s_own_service_does(target: Target, bank: str) -> None:
    async def main() -> None:
        async with both(target, bank) as services:
            theirs, ours = [await story(service) for service in services]
        assert len(theirs) == len(ours) > 15
        for expected, found in zip(theirs, ours, strict=True):
            assert found == expected

    asyncio.run(main())


def test_every_part_of_an_event_comes_back(target: Target, bank: str) -> None:
    parts = [
        types.Part(text="Grüße 🦊 … "),
        types.Part(inline_data=types.Blob(data=bytes(range(256)), mime_type="image/png")),
        types.Part(function_call=types.FunctionCall(id="c", name="f", args={"n": 1.5, "list": [None, {"a": True}]})),
        types.Part(text="thought", thought=True, thought_signature=b"\xff\x00"),
    ]
    event = Event(
        author="guide",
        id="e1",
        invocation_id="i1",
        timestamp=1_764_000_000.123456,
        content=types.Content(role="model", parts=parts),
        long_running_tool_ids={"c"},
        branch="a.b",
        turn_complete=True,
        custom_metadata={"k": [1]},
        usage_metadata=types.GenerateContentResponseUsageMetadata(total_token_count=7),
        actions=EventActions(transfer_to_agent="b", artifact_delta={"file": 2}, escalate=True),
    )

    async def use(sessions: FoxingSessionService) -> None:
        session = await sessions.create_session(**ANA)
        session.last_update_time = 1_764_000_000.0
        with pytest.raises(StaleSessionError):
            await sessions.append_event(session, event)
        stored = await sessions.get_session(**ANA, session_id=session.id)
        assert stored is not None
        await sessions.append_event(stored, event)
        found = await sessions.get_session(**ANA, session_id=session.id)
        assert found is not None
        assert found.events == [event]

    run(target, bank, use)


def test_a_stale_session_is_refused_and_a_repeated_event_is_not_stored_twice(target: Target, bank: str) -> None:
    async def use(sessions: FoxingSessionService) -> None:
        session = await sessions.create_session(**ANA, session_id="s")
        stale = session.model_copy(deep=True)
        event = said("one", timestamp=session.last_update_time + 1)
        await sessions.append_event(session, event)
        with pytest.raises(StaleSessionError):
            await sessions.append_event(stale, said("two", timestamp=session.last_update_time + 1))
        await sessions.append_event(stale, event.model_copy(deep=True))  # as after a lost answer
        await sessions.append_event(stale, said("two", timestamp=session.last_update_time + 1))
        found = await sessions.get_session(**ANA, session_id="s")
        assert found is not None
        assert [each.id for each in found.events] == ["event-one", "event-two"]

    run(target, bank, use)


def test_many_sessions_at_once(target: Target, bank: str) -> None:
    async def use(sessions: FoxingSessionService) -> None:
        async def talk(number: int) -> None:
            session = await sessions.create_session(app_name="guide", user_id=f"u{number}", session_id="s")
            for turn in range(3):
                at = session.last_update_time + 1
                await sessions.append_event(session, said(f"{turn}", timestamp=at, state={f"app:{number}": turn}))

        await asyncio.gather(*map(talk, range(10)))
        listed = (await sessions.list_sessions(app_name="guide")).sessions
        assert len(listed) == 10
        for session in listed:
            assert session.state == {f"app:{number}": 2 for number in range(10)}
            found = await sessions.get_session(app_name="guide", user_id=session.user_id, session_id="s")
            assert found is not None
            assert [event.id for event in found.events] == ["event-0", "event-1", "event-2"]

    run(target, bank, use)


def test_bad_input_stores_nothing(target: Target, bank: str) -> None:
    async def use(sessions: FoxingSessionService) -> None:
        with pytest.raises(InvalidInput, match="the state 'x'"):
            await sessions.create_session(**ANA, state={"x": float("inf")}, session_id="s")
        with pytest.raises(InvalidInput, match="the state 'x' is not JSON"):
            await sessions.create_session(**ANA, state={"x": object()}, session_id="s")
        assert await sessions.get_session(**ANA, session_id="s") is None
        session = await sessions.create_session(**ANA, session_id="s")
        large = said("x" * (1 << 20), id="large", timestamp=session.last_update_time + 1, state={"y": 1})
        with pytest.raises(InvalidInput):
            await sessions.append_event(session, large)
        assert session.events == []
        found = await sessions.get_session(**ANA, session_id="s")
        assert found is not None
        assert (found.events, found.state) == ([], {})

    run(target, bank, use)


def test_an_append_whose_answer_is_lost_can_be_repeated(service: Service, bank: str) -> None:
    with lossy_server(service.url) as lossy:

        async def use(sessions: FoxingSessionService) -> None:
            session = await sessions.create_session(**ANA, session_id="s")
            event = said("one", timestamp=session.last_update_time + 1, state={"n": 1})
            lossy.lose = 1_000
            with pytest.raises(Unreachable):
                await sessions.append_event(session, event)
            lossy.lose = 0
            await sessions.append_event(session, event)
            assert session.events == [event]
            found = await sessions.get_session(**ANA, session_id="s")
            assert found is not None
            assert (found.events, found.state) == ([event], {"n": 1})

        run(ServiceOptions(lossy.url, retry_for_s=0.05), bank, use)


def count(tool_context: ToolContext) -> str:
    """Counts the calls."""
    tool_context.state["user:calls"] = tool_context.state.get("user:calls", 0) + 1
    tool_context.state["temp:calls"] = 1
    return f"{tool_context.state['user:calls']} calls"


def test_an_agent_runs_on_it(target: Target, bank: str) -> None:
    async def use(sessions: FoxingSessionService) -> None:
        model = Scripted(answers=[call("count"), "One.", call("count"), "Two."])
        agent = LlmAgent(name="guide", model=model, tools=[count], output_key="last")
        runner = Runner(app_name="guide", agent=agent, session_service=sessions)
        await sessions.create_session(**ANA, session_id="s")
        for text in ("first", "second"):
            async for _ in runner.run_async(user_id="ana", session_id="s", new_message=user(text)):
                pass
        assert len(model.sent[-1].contents) == 7  # the model sees the first turn in the second
        found = await sessions.get_session(**ANA, session_id="s")
        assert found is not None
        assert found.state == {"user:calls": 2, "last": "Two."}
        assert [event.author for event in found.events] == ["user", "guide", "guide", "guide"] * 2
        assert await sessions.get_user_state(**ANA) == {"calls": 2}
        await runner.close()

    run(target, bank, use)
