"""A client of OpenAI's or Anthropic's SDK remembers, by two lines.

python examples/wrap_agent.py                         # with a temporary database
python examples/wrap_agent.py http://127.0.0.1:8765   # with a running service

With ANTHROPIC_API_KEY set, Claude answers; without it, a function of this program.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

import httpx2
from anthropic import Anthropic, DefaultHttpxClient

from foxing.integrations.client import Target
from foxing.integrations.wrap import flush, wrap

MODEL = "claude-fable-5-1"


def answer(request: httpx2.Request) -> httpx2.Response:
    """Answers as a model would that reads what it is given."""
    prompt = str(json.loads(request.content)["messages"][-1])
    reply = "I do not know." if "salmon" in prompt else "Noted."
    if "salmon" in prompt and "I do not eat fish" in prompt:
        reply = "No salmon for you, Mina: you do not eat fish."
    message = {
        "id": "msg-1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": reply}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    return httpx2.Response(200, json=message)


def make_client() -> Anthropic:
    """Returns a client of Claude, or of `answer` if there is no key."""
    if "ANTHROPIC_API_KEY" in os.environ:
        return Anthropic()
    return Anthropic(api_key="none", http_client=DefaultHttpxClient(transport=httpx2.MockTransport(answer)))


def converse(client: Anthropic, words: str) -> None:
    """Has a conversation of one turn."""
    print(f"user: {words}")
    message = client.messages.create(model=MODEL, max_tokens=300, messages=[{"role": "user", "content": words}])
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
