"""Processes that are killed while they store turns through an adapter: every turn is stored once, in order.

`KILLED_TURNS` sets the number of turns.
"""

import asyncio
import os
import random
from pathlib import Path

import pytest
from support.processes import start_python

from foxing.memory import Memory

TURNS = int(os.environ.get("KILLED_TURNS", "40"))
MOST_BETWEEN = max(30, TURNS // 16)  # turns between two kills

#: Stores turns from where the last process was, and prints the number of each one that is complete.
COMMON = """
import sys, warnings
warnings.simplefilter("ignore")
from pathlib import Path
from langchain_core.messages import AIMessage, HumanMessage
database, turns = Path(sys.argv[1]), int(sys.argv[2])
config = {"configurable": {"thread_id": "chat"}}

def complete(graph):
    # finishes the turn that was interrupted; the number of turns in the state
    state = graph.get_state(config)
    if state.next:
        state = graph.invoke(None, config)
        return len(state["messages"]) // 2
    return len(state.values.get("messages", ())) // 2

def run(graph):
    for number in range(complete(graph), turns):
        graph.invoke({"messages": [HumanMessage(f"question {number}", id=f"q{number}")]}, config)
        print(number, flush=True)
"""
GRAPH = """
from langgraph.graph import START, MessagesState, StateGraph
from foxing.integrations.langgraph import FoxingSaver, FoxingStore

def answer(state, *, store):
    number = state["messages"][-1].content.split()[1]
    store.put(("turns",), number, {"turn": int(number)})
    return {"messages": [AIMessage(f"answer {number}")]}

with FoxingSaver.connect(database, "ana") as saver, FoxingStore.connect(database, "ana") as store:
    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    run(builder.compile(checkpointer=saver, store=store))
"""
AGENT = """
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.outputs import ChatGeneration, ChatResult
from foxing.integrations.langchain.middleware import FoxingMiddleware
from foxing.integrations.langgraph import FoxingSaver

class Echo(GenericFakeChatModel):
    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        content = messages[-1].content
        said = content if isinstance(content, str) else content[-1]["text"]
        answer = AIMessage("answer " + said.split()[-1])
        return ChatResult(generations=[ChatGeneration(message=answer)])

saver = FoxingSaver.connect(database, "ana")
with saver, FoxingMiddleware.connect(database, "ana", min_relevance=0.5) as memory:
    run(create_agent(Echo(messages=iter(())), [], middleware=[memory], checkpointer=saver))
"""
HISTORY = """
from foxing.integrations.langchain import FoxingChatMessageHistory

with FoxingChatMessageHistory.connect(database, "ana", "chat") as history:
    for number in range(len(history.messages) // 2, turns):
        history.add_messages([HumanMessage(f"question {number}"), AIMessage(f"answer {number}")])
        print(number, flush=True)
"""

#: Turns of a session of the Agents SDK.
SESSION = """
import asyncio
from foxing.integrations.openai_agents import FoxingSession

async def main():
    async with FoxingSession.connect(database, "ana", "chat") as session:
        for number in range(len(await session.get_items()) // 2, turns):
            question = {"role": "user", "content": f"question {number}"}
            answer = {"role": "assistant", "content": f"answer {number}"}
            await session.add_items([question, answer])
            print(number, flush=True)

asyncio.run(main())
"""
#: Counts the turns that are remembered.
REMEMBERED = """
import asyncio
from foxing.memory.errors import NotFound

async def remembered(connection):
    try:
        return (await connection.run_async(lambda memory: memory.bank("ana"))).messages // 2
    except NotFound:
        return 0
"""
BLOCK = (
    REMEMBERED
    + """
from llama_index.core.base.llms.types import ChatMessage
from foxing.integrations.llamaindex import FoxingMemoryBlock

async def main():
    async with FoxingMemoryBlock.connect(database, "ana") as block:
        for number in range(await remembered(block.connection), turns):
            said = [ChatMessage(f"question {number}"), ChatMessage(f"answer {number}", role="assistant")]
            await block.aput(said, session_id="chat")
            print(number, flush=True)

asyncio.run(main())
"""
)
CAPABILITY = (
    REMEMBERED
    + """
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel
from foxing.integrations.pydantic_ai import FoxingCapability

def answer(messages, info):
    content = messages[-1].parts[-1].content
    asked = content if isinstance(content, str) else content[-1]
    return ModelResponse(parts=[TextPart("answer " + asked.split()[-1])])

async def main():
    async with FoxingCapability.connect(database, "ana", min_relevance=0.5) as memory:
        agent = Agent(FunctionModel(answer), capabilities=[memory])
        for number in range(await remembered(memory.connection), turns):
            await agent.run(f"question {number}", conversation_id="chat")
            print(number, flush=True)

asyncio.run(main())
"""
)
SERVICES = """
import asyncio
from google.adk.events.event import Event
from google.adk.events.event_actions import EventActions
from google.genai import types
from foxing.integrations.client import connect
from foxing.integrations.google_adk import FoxingMemoryService, FoxingSessionService

who = {"app_name": "guide", "user_id": "ana"}

def said(author, text, at):
    content = types.Content(role="user", parts=[types.Part(text=text)])
    actions = EventActions(state_delta={"user:turns": text})
    return Event(author=author, id=text, timestamp=at, content=content, actions=actions, invocation_id="i")

async def main():
    async with connect(database, "ana") as connection:
        sessions, memory = FoxingSessionService(connection), FoxingMemoryService(connection)
        session = await sessions.get_session(**who, session_id="chat")
        if session is None:
            session = await sessions.create_session(**who, session_id="chat")
        await memory.add_session_to_memory(session)
        for number in range(len(session.events) // 2, turns):
            question = said("user", f"question {number}", 1.7e9 + 2 * number)
            answer = said("guide", f"answer {number}", 1.7e9 + 2 * number + 1)
            for event in (question, answer):
                if event.id not in {each.id for each in session.events[-2:]}:
                    await sessions.append_event(session, event)
            await memory.add_events_to_memory(**who, session_id="chat", events=[question, answer])
            print(number, flush=True)

asyncio.run(main())
"""
FILES = """
from foxing.integrations.anthropic import FoxingMemoryTool

with FoxingMemoryTool.connect(database, "ana") as memory:
    for number in range(turns):
        path = f"/memories/{number:05}.txt"
        try:
            answer = memory.call({"command": "create", "path": path, "file_text": f"turn {number}"})
        except Exception as error:
            if "already exists" not in str(error):
                raise
        else:
            print(number, flush=True)
    print("end", flush=True)
"""
WRAPPED = """
from openai import OpenAI
from tests.upstream import Upstream
from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory

memory = Memory(database)
with Upstream() as upstream, OpenAI(base_url=upstream.openai_url, api_key="key", max_retries=0) as plain:
    with wrap(plain, memory=memory, bank="ana", journal=database.with_name("journal.db"), deadline_s=60) as client:
        assert flush(client)
        try:
            done = memory.bank("ana").messages // 2
        except Exception:
            done = 0
        said = [
            {"role": role, "content": f"{what} {number}"}
            for number in range(done)
            for role, what in (("user", "question"), ("assistant", "answer"))
        ]
        for number in range(done, turns):
            upstream.answer(f"answer {number}")
            said.append({"role": "user", "content": f"question {number}"})
            answer = client.chat.completions.create(model="gpt-5.1", messages=said)
            said.append({"role": "assistant", "content": answer.choices[0].message.content})
            print(number, flush=True)
        assert flush(client)
memory.close()
"""


def expected() -> list[str]:
    return [f"{what} {number}" for number in range(TURNS) for what in ("question", "answer")]


def run_and_kill(program: str, database: Path) -> int:
    """Runs a program until it has stored all turns, and kills it in between. Returns how often."""
    chance = random.Random(7)
    kills = 0
    while True:
        process = start_python(COMMON + program, str(database), str(TURNS))
        for _ in range(chance.randint(1, MOST_BETWEEN)):
            if not process.stdout.readline():
                break
        process.kill()
        process.communicate()
        if process.returncode == 0:
            return kills
        assert process.returncode == -9
        kills += 1
        if kills > 4 * TURNS:
            raise AssertionError("the program makes no progress")


@pytest.mark.slow
def test_a_graph_that_is_killed_stores_every_turn_once(tmp_path: Path) -> None:
    from foxing.integrations.langgraph import FoxingSaver, FoxingStore

    database = tmp_path / "foxing.db"
    run_and_kill(GRAPH, database)
    with Memory(database) as memory:
        found = FoxingSaver.connect(memory, "ana").get_tuple({"configurable": {"thread_id": "chat"}})
        assert found is not None
        assert [message.content for message in found.checkpoint["channel_values"]["messages"]] == expected()
        items = FoxingStore.connect(memory, "ana").search(("turns",), limit=TURNS + 1)
        assert sorted(item.value["turn"] for item in items) == list(range(TURNS))


@pytest.mark.slow
def test_an_agent_that_is_killed_remembers_every_turn_once(tmp_path: Path) -> None:
    pytest.importorskip("langchain.agents")
    database = tmp_path / "foxing.db"
    run_and_kill(AGENT, database)
    with Memory(database) as memory:
        assert [span.text for span in memory.export("ana")] == expected()


@pytest.mark.slow
def test_a_history_that_is_killed_keeps_every_turn_once(tmp_path: Path) -> None:
    from foxing.integrations.langchain import FoxingChatMessageHistory

    database = tmp_path / "foxing.db"
    run_and_kill(HISTORY, database)
    with Memory(database) as memory:
        history = FoxingChatMessageHistory.connect(memory, "ana", "chat")
        assert [message.content for message in history.messages] == expected()
        remembered = [span.text for span in memory.export("ana")]
        assert len(remembered) == len(set(remembered))


@pytest.mark.slow
def test_a_session_that_is_killed_keeps_every_turn_once(tmp_path: Path) -> None:
    from foxing.integrations.openai_agents import FoxingSession

    database = tmp_path / "foxing.db"
    run_and_kill(SESSION, database)
    with Memory(database) as memory:
        items = asyncio.run(FoxingSession.connect(memory, "ana", "chat").get_items())
        assert [dict(item)["content"] for item in items] == expected()
        remembered = [span.text for span in memory.export("ana")]
        assert len(remembered) == len(set(remembered))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "package"), [(BLOCK, "llama_index.core"), (CAPABILITY, "pydantic_ai"), (WRAPPED, "openai")]
)
def test_turns_that_are_remembered_are_so_once_and_in_order(tmp_path: Path, program: str, package: str) -> None:
    pytest.importorskip(package)
    database = tmp_path / "foxing.db"
    run_and_kill(program, database)
    with Memory(database) as memory:
        assert [span.text for span in memory.export("ana")] == expected()


@pytest.mark.slow
def test_services_of_adk_that_are_killed_keep_every_event_once(tmp_path: Path) -> None:
    pytest.importorskip("google.adk")
    from foxing.integrations.google_adk import FoxingSessionService

    database = tmp_path / "foxing.db"
    run_and_kill(SERVICES, database)
    with Memory(database) as memory:
        sessions = FoxingSessionService.connect(memory, "ana")
        found = asyncio.run(sessions.get_session(app_name="guide", user_id="ana", session_id="chat"))
        assert found is not None
        assert [event.id for event in found.events] == expected()
        assert found.state == {"user:turns": expected()[-1]}
        assert [span.text for span in memory.export("ana")] == expected()


@pytest.mark.slow
def test_files_of_the_memory_tool_are_whole_after_kills(tmp_path: Path) -> None:
    from foxing.integrations.anthropic import FoxingMemoryTool

    database = tmp_path / "foxing.db"
    run_and_kill(FILES, database)
    with Memory(database) as memory:
        tool = FoxingMemoryTool.connect(memory, "ana")
        for number in range(TURNS):
            found = tool.call({"command": "view", "path": f"/memories/{number:05}.txt"})
            assert str(found).endswith(f"turn {number}")
