"""Claude keeps notes in its memory tool and reads them in the next conversation.

python examples/anthropic_agent.py                         # with a temporary database
python examples/anthropic_agent.py http://127.0.0.1:8765   # with a running service
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx2
from anthropic import Anthropic, DefaultHttpxClient

from foxing.integrations.anthropic import FoxingMemoryTool
from foxing.integrations.client import Target

MODEL = "claude-sonnet-5-5"
NOTES = "/memories/mina.md"

Block = Mapping[str, object]


def scripted_client(answers: Sequence[Block]) -> Anthropic:
    """Returns a client whose model gives these answers in order.

    Replace it with a real client: `Anthropic()` with ANTHROPIC_API_KEY set.
    """
    remaining = iter(answers)

    def respond(request: httpx2.Request) -> httpx2.Response:
        block = next(remaining)
        message: dict[str, object] = {
            "id": "msg-1",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [block],
            "stop_reason": "tool_use" if block["type"] == "tool_use" else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return httpx2.Response(200, json=message)

    transport = httpx2.MockTransport(respond)
    return Anthropic(api_key="none", http_client=DefaultHttpxClient(transport=transport))


def saying(text: str) -> Block:
    """Returns a scripted answer with a text."""
    return {"type": "text", "text": text}


def calling(command: str, **arguments: object) -> Block:
    """Returns a scripted answer that calls the memory tool."""
    return {"type": "tool_use", "id": f"call-{command}", "name": "memory", "input": {"command": command, **arguments}}


def converse(client: Anthropic, memory: FoxingMemoryTool, said: str) -> None:
    """Runs one conversation: tools are called until the model answers with text."""
    print(f"user: {said}")
    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=1000,
        messages=[{"role": "user", "content": said}],
        tools=[memory],
    )
    for message in runner:
        for block in message.content:
            if block.type == "tool_use":
                print(f"tool: {block.input}")
            elif block.type == "text":
                print(f"assistant: {block.text}\n")


def main(target: Target, bank: str = "anthropic-example") -> None:
    """Runs two conversations: Claude writes a note in the first and reads it in the second."""
    with FoxingMemoryTool.connect(target, bank=bank) as memory:
        memory.clear_all_memory()
        script = [
            calling("view", path="/memories"),
            calling("create", path=NOTES, file_text="- does not eat fish\n"),
            saying("I will remember that."),
        ]
        converse(scripted_client(script), memory, "I am Mina, and I do not eat fish.")
        script = [calling("view", path=NOTES), saying("No salmon for you, Mina: you do not eat fish.")]
        converse(scripted_client(script), memory, "Mina here again. Shall I cook salmon?")
        print(memory.call({"command": "view", "path": "/memories"}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder) / "agent.db")
