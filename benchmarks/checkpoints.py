"""Room and time that the checkpoints of a long thread of LangGraph take, by checkpointer.

.venv/bin/python -m benchmarks.checkpoints --steps 2000
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, MessagesState, StateGraph

from foxing.integrations.langgraph import FoxingSaver
from foxing.memory import Memory, MemoryOptions

WORDS = 40  # of a message


def words(seed: int) -> Iterator[str]:
    """Yields words that hardly repeat, the same for each seed."""
    state = seed * 2654435761 + 1
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        yield f"w{state >> 48:x}"


def message(number: int) -> str:
    """Returns the text of a message."""
    return " ".join(islice(words(number), WORDS))


@contextmanager
def foxing(folder: Path) -> Iterator[BaseCheckpointSaver[Any]]:
    """A saver in a database of its own."""
    with Memory(folder / "foxing.db", options=MemoryOptions(embedder="none")) as memory:
        yield FoxingSaver.connect(memory, "benchmark")


@contextmanager
def langgraph_sqlite(folder: Path) -> Iterator[BaseCheckpointSaver[Any]]:
    """LangGraph's saver for SQLite."""
    from langgraph.checkpoint.sqlite import SqliteSaver

    with SqliteSaver.from_conn_string(str(folder / "langgraph.db")) as saver:
        yield saver


SAVERS = {"foxing": foxing, "langgraph-sqlite": langgraph_sqlite}


def measure(name: str, steps: int, every: int) -> None:
    """Runs a graph of `steps` steps, each of which adds a message, and prints what is stored after `every` of them."""
    numbers = count()

    def speak(state: MessagesState) -> dict[str, list[AIMessage]]:
        return {"messages": [AIMessage(message(next(numbers)))]}

    def goes_on(state: MessagesState) -> str:
        return END if len(state["messages"]) % every == 0 else "speak"

    builder = StateGraph(MessagesState)
    builder.add_node("speak", speak)
    builder.add_edge(START, "speak")
    builder.add_conditional_edges("speak", goes_on)
    with tempfile.TemporaryDirectory() as folder, SAVERS[name](Path(folder)) as saver:
        graph = builder.compile(checkpointer=saver)
        config: RunnableConfig = {"configurable": {"thread_id": "benchmark"}, "recursion_limit": every + 10}
        seconds = 0.0
        for number in range(every, steps + 1, every):
            before = time.perf_counter()
            graph.invoke({"messages": []}, config)
            seconds += time.perf_counter() - before
            size = sum(file.stat().st_size for file in Path(folder).iterdir())
            text = sum(len(message(each)) for each in range(number))
            found = {"saver": name, "steps": number, "text": text, "bytes": size, "seconds": round(seconds, 1)}
            print(json.dumps(found), flush=True)


def main() -> None:
    """Measures the savers one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--every", type=int, default=250)
    parser.add_argument("--saver", choices=sorted(SAVERS), action="append")
    arguments = parser.parse_args()
    for name in arguments.saver or SAVERS:
        measure(name, arguments.steps, arguments.every)


if __name__ == "__main__":
    main()
