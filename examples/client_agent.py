"""An agent with a memory: recalls before it answers, and stores each turn.

python examples/client_agent.py                         # with a temporary database
python examples/client_agent.py http://127.0.0.1:8765   # with a running service
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from foxing.integrations.client import Connection, Target, connect
from foxing.memory.errors import NotFound
from foxing.memory.values.base import Fields

SAID = ("My name is Mina, and I prefer tea.", "We ship Titan on 14 March.", "When do we ship Titan?")


def model(question: str, remembered: Sequence[str]) -> str:
    """Returns a scripted answer. Replace it with a call of your model, with `remembered` before the question."""
    if not question.endswith("?"):
        return "Noted."
    statements = [text for text in remembered if not text.endswith("?")]
    return f"You said: {statements[0]}" if statements else "I do not know."


def answer(connection: Connection, question: str) -> str:
    """Runs one turn of the agent and returns its answer."""
    try:
        found = connection.run(lambda memory: memory.recall(connection.bank, question, roles=["user"], limit=5))
        remembered = [span.text for span in found.spans]
    except NotFound:  # nothing is stored yet
        remembered = []
    said = model(question, remembered)
    turn: list[Fields] = [{"role": "user", "content": question}, {"role": "assistant", "content": said}]
    connection.run(lambda memory: memory.store(connection.bank, turn, thread="chat"))
    return said


def main(target: Target, bank: str = "client-example") -> None:
    """Runs the conversation."""
    with connect(target, bank) as connection:
        for question in SAID:
            print(f"user: {question}\nassistant: {answer(connection, question)}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder) / "agent.db")
