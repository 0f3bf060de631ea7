"""An agent that continues a session later and recalls messages of other sessions.

python examples/openai_agents_agent.py                         # with a temporary database
python examples/openai_agents_agent.py http://127.0.0.1:8765   # with a running service
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from agents import Agent, Model, ModelResponse, RunConfig, RunContextWrapper, Runner, Usage, function_tool
from agents.items import TResponseOutputItem, TResponseStreamEvent
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from foxing.integrations.client import Target
from foxing.integrations.openai_agents import FoxingSession
from foxing.memory.errors import NotFound


@function_tool
def opening_hours(museum: str) -> str:
    """Returns the opening hours of a museum."""
    return f"The {museum} is open from 10 to 17, and closed on Mondays."


class ScriptedModel(Model):
    """A model that gives these answers in order.

    Replace it with a real one: `Agent(model="gpt-5.1", …)` with OPENAI_API_KEY set.
    """

    def __init__(self, answers: Sequence[TResponseOutputItem]) -> None:
        self._answers = iter(answers)

    async def get_response(self, *arguments: object, **options: object) -> ModelResponse:
        """Returns the next answer."""
        return ModelResponse(output=[next(self._answers)], usage=Usage(), response_id=None)

    def stream_response(self, *arguments: object, **options: object) -> AsyncIterator[TResponseStreamEvent]:
        """Raises `NotImplementedError`: scripted answers are not streamed."""
        raise NotImplementedError("the script is not streamed")


def saying(text: str) -> TResponseOutputItem:
    """Returns a scripted answer with a text."""
    content = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[content])


def calling(tool: str, arguments: str) -> TResponseOutputItem:
    """Returns a scripted answer that calls a tool."""
    return ResponseFunctionToolCall(type="function_call", call_id="call-1", name=tool, arguments=arguments)


async def converse(session: FoxingSession, said: str, answers: Sequence[TResponseOutputItem]) -> str:
    """Runs one turn of a session and returns the answer."""

    async def instructions(context: RunContextWrapper[None], agent: Agent[None]) -> str:
        connection = session.connection
        try:
            recalled = await connection.run_async(lambda memory: memory.recall(connection.bank, said, limit=3))
        except NotFound:  # nothing is stored yet
            return "Answer briefly."
        return f"Answer briefly. You recall:\n{recalled.rendered}"

    agent = Agent(name="guide", instructions=instructions, tools=[opening_hours], model=ScriptedModel(answers))
    print(f"user: {said}\n(instructions: {await instructions(RunContextWrapper(None), agent)})")
    result = await Runner.run(agent, said, session=session, run_config=RunConfig(tracing_disabled=True))
    print(f"assistant: {result.final_output}\n")
    return str(result.final_output)


async def main(target: Target, bank: str = "openai-agents-example") -> None:
    """Runs two sessions: the first is continued, and the second recalls its messages."""
    async with FoxingSession.connect(target, bank=bank, session_id="oslo") as session:
        await session.clear_session()
        call = calling("opening_hours", '{"museum": "Munch Museum"}')
        await converse(session, "When is the Munch Museum open?", [call, saying("From 10 to 17, not on Mondays.")])
    async with FoxingSession.connect(target, bank=bank, session_id="oslo") as session:
        await converse(session, "Then I go on Tuesday.", [saying("Good.")])
        print(f"items in the session: {len(await session.get_items())}\n")
    async with FoxingSession.connect(target, bank=bank, session_id="bergen") as session:
        await converse(session, "On which day did I want to see the Munch Museum?", [saying("On Tuesday.")])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "agent.db"))
