"""Processes that are killed while they store turns through an adapter: every turn is stored once, in order.

`KILLED_TURNS` sets the number of turns.
"""

import os
import random
from pathlib import Path

import pytest
from support.processes import start_python

from foxing.memory import Memory

TURNS = int(os.environ.get("KILLED_TURNS", "40"))
MOST_BETWEEN = 30  # turns between two kills

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
