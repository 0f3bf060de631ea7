"""What a user of the capability and the toolset writes; tests check its types."""

from dataclasses import dataclass

from pydantic_ai import Agent

from foxing.integrations.client import Connection, connect
from foxing.integrations.pydantic_ai import FoxingCapability, FoxingToolset


@dataclass
class Dependencies:
    """What tools of the agent need."""

    user: str


async def use(url: str) -> str:
    memory = FoxingCapability.connect(url, bank="agent-7", api_key="secret", budget=1_000, reader="claude", tools=True)
    toolset = FoxingToolset.connect(url, bank="agent-7", thread="notes", max_tokens=500)
    async with memory, toolset:
        agent: Agent[Dependencies, str] = Agent(
            "anthropic:claude-sonnet-5-5",
            deps_type=Dependencies,
            capabilities=[memory],
            toolsets=[toolset.prefixed("notes")],
        )
        result = await agent.run("hello", deps=Dependencies("ana"), conversation_id="chat-1")
        kept: int = memory.pending
        return f"{result.output} {kept}"


def use_a_connection(url: str) -> list[str]:
    connection: Connection = connect(url, "agent-7")
    with FoxingCapability(connection, remember=False) as memory:
        agent = Agent("anthropic:claude-sonnet-5-5", capabilities=[memory], output_type=list[str])
        return agent.run_sync("hello").output
