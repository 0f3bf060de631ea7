"""An agent of Pydantic AI that remembers what was said in other conversations.

python examples/pydantic_ai_agent.py                         # with a temporary database
python examples/pydantic_ai_agent.py http://127.0.0.1:8765   # with a running service
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel

from foxing.integrations.client import Target
from foxing.integrations.pydantic_ai import FoxingCapability


def scripted_answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Returns a scripted answer, which depends on what the request holds."""
    knows = "Munch Museum on Tuesday" in str(messages[-1])
    return ModelResponse(parts=[TextPart("On Tuesday." if knows else "Good.")])


async def main(target: Target, model: Model, bank: str = "pydantic-ai-example") -> None:
    """Runs two conversations: the second is answered from the first."""
    async with FoxingCapability.connect(target, bank) as memory:
        agent = Agent(model, capabilities=[memory])
        for conversation, said in (
            ("oslo", "I go to the Munch Museum on Tuesday."),
            ("bergen", "On which day did I want to see the Munch Museum?"),
        ):
            result = await agent.run(said, conversation_id=conversation)
            print(f"user: {said}\nassistant: {result.output}\n")


if __name__ == "__main__":
    scripted = FunctionModel(scripted_answer)  # replace it with a real model: AnthropicModel("claude-sonnet-5-5")
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1], scripted))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "agent.db", scripted))
