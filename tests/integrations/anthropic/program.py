"""What a user of the memory tool writes; tests check its types."""

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types.beta import BetaMemoryTool20250818ViewCommand

from foxing.integrations.anthropic import AsyncFoxingMemoryTool, FoxingMemoryTool
from foxing.integrations.client import Connection
from foxing.memory import Memory


def use(memory: Memory) -> str:
    with FoxingMemoryTool.connect(memory, bank="agent-7", cache_control={"type": "ephemeral"}) as tool:
        runner = Anthropic().beta.messages.tool_runner(
            model="claude-sonnet-5-5", max_tokens=100, messages=[{"role": "user", "content": "hello"}], tools=[tool]
        )
        runner.until_done()
        connection: Connection = tool.connection
        connection.close()
        return tool.view(BetaMemoryTool20250818ViewCommand(command="view", path="/memories"))


async def use_a_server(url: str) -> str:
    async with AsyncFoxingMemoryTool.connect(url, bank="agent-7", api_key="secret") as tool:
        runner = AsyncAnthropic().beta.messages.tool_runner(
            model="claude-sonnet-5-5", max_tokens=100, messages=[{"role": "user", "content": "hello"}], tools=[tool]
        )
        await runner.until_done()
        return await tool.clear_all_memory()
