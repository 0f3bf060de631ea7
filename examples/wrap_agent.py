"""A client of OpenAI's or Anthropic's SDK remembers, by two lines.

python examples/wrap_agent.py                         # with a temporary database
python examples/wrap_agent.py http://127.0.0.1:8765   # with a running service

With ANTHROPIC_API_KEY set, Claude answers; without it, scripted answers of a server on this machine.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anthropic import Anthropic

from foxing.integrations.client import Target
from foxing.integrations.testing import ModelAnswer, RecordedCall, Upstream
from foxing.integrations.wrap import flush, wrap

MODEL = "claude-fable-5-1"


def answer(call: RecordedCall) -> ModelAnswer:
    """Answers as a model would that reads what it is given."""
    knows = "I do not eat fish" in str((call.value or {})["messages"][-1])
    asked = "salmon" in str((call.value or {})["messages"][-1])
    if asked and knows:
        return ModelAnswer(("No salmon for you, Mina: you do not eat fish.",))
    return ModelAnswer(("I do not know." if asked else "Noted.",))


@contextmanager
def make_client() -> Iterator[Anthropic]:
    """Yields a client of Claude, or of a server with scripted answers if there is no key."""
    if "ANTHROPIC_API_KEY" in os.environ:
        yield Anthropic()
        return
    with Upstream() as upstream:
        upstream.respond_with(answer)
        yield Anthropic(base_url=upstream.url, api_key="none")


def converse(client: Anthropic, said: str) -> None:
    """Has a conversation of one turn."""
    print(f"user: {said}")
    message = client.messages.create(model=MODEL, max_tokens=300, messages=[{"role": "user", "content": said}])
    print("assistant:", *(block.text for block in message.content if block.type == "text"))


def main(memory: Target, journal: Path, bank: str = "wrap-example") -> None:
    """Runs two conversations: in the second, Claude is given what was said in the first."""
    with make_client() as plain, wrap(plain, memory=memory, bank=bank, journal=journal, deadline_s=5) as client:
        converse(client, "I am Mina, and I do not eat fish.")
        flush(client)  # the second conversation begins at once here
        converse(client, "Mina here: do I eat fish? Shall I cook salmon?")
        flush(client)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1] if len(sys.argv) > 1 else Path(folder) / "agent.db", Path(folder) / "wrap.db")
