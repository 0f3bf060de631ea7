"""What a user of LlamaIndex's memory block writes; tests check its types."""

from llama_index.core.base.llms.types import ChatMessage, ContentBlock
from llama_index.core.memory import Memory

from foxing.integrations.client import Connection
from foxing.integrations.llamaindex import FoxingMemoryBlock


async def use(url: str) -> list[ContentBlock]:
    block = FoxingMemoryBlock.connect(url, bank="agent-7", api_key="secret", k=5, reader="claude")
    connection: Connection = block.connection
    memory = Memory.from_defaults(memory_blocks=[block])
    await memory.aput(ChatMessage("hello"))
    found = await FoxingMemoryBlock(connection=connection).aget([ChatMessage("hello")])
    await block.aclose()
    return found
