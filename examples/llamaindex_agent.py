"""An agent that recalls messages of another session.

python examples/llamaindex_agent.py                         # with a temporary database
python examples/llamaindex_agent.py http://127.0.0.1:8765   # with a running service
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import InsertMethod, Memory

from foxing.integrations.client import Target
from foxing.integrations.llamaindex import FoxingMemoryBlock

Model = Callable[[Sequence[ChatMessage]], str]


def scripted_model(prompt: Sequence[ChatMessage]) -> str:
    """Returns a scripted answer. Replace it with a real model: `Anthropic(model="claude-sonnet-5-5").chat(prompt)` of
    llama-index-llms-anthropic."""
    recalled = "\n".join(message.content or "" for message in prompt)
    return "On Tuesday." if "Munch Museum on Tuesday" in recalled else "Good."


async def converse(model: Model, block: FoxingMemoryBlock, session: str, said: str) -> None:
    """Runs a session of one turn and stores it."""
    memory = Memory.from_defaults(
        session_id=session,
        memory_blocks=[block],
        tokenizer_fn=str.split,
        insert_method=InsertMethod.USER,  # stored words in the system message would have the rank of instructions
    )
    await memory.aput(ChatMessage(said))
    answer = ChatMessage(model(await memory.aget()), role="assistant")
    await block.aput([ChatMessage(said), answer], session_id=session)
    print(f"user: {said}\nassistant: {answer.content}\n")


async def main(target: Target) -> None:
    """Runs two sessions: the second recalls a message of the first."""
    block = FoxingMemoryBlock.connect(target, bank="llamaindex-example")
    await converse(scripted_model, block, "oslo", "I go to the Munch Museum on Tuesday.")
    await converse(scripted_model, block, "bergen", "On which day did I want to see the Munch Museum?")
    await block.aclose()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "agent.db"))
