"""An agent of LangChain 1.x that remembers what was said in other conversations.

python examples/langchain_middleware_agent.py                         # with a temporary database
python examples/langchain_middleware_agent.py http://127.0.0.1:8765   # with a running service
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool, tool

from foxing.integrations.client import Target, connect
from foxing.integrations.langchain.middleware import FoxingMiddleware
from foxing.integrations.langgraph import FoxingSaver


@tool
def opening_hours(museum: str) -> str:
    """Returns the opening hours of a museum."""
    return f"The {museum} is open from 10 to 17, and closed on Mondays."


class ScriptedModel(GenericFakeChatModel):
    """Gives answers in order. Replace it with a real model: `create_agent("anthropic:claude-sonnet-5-5", …)`."""

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> "ScriptedModel":
        """Returns the model itself, which does not look at tools."""
        return self


def main(target: Target, bank: str = "langchain-middleware-example") -> None:
    """Runs two conversations: the first has two turns, and the second is answered from the first."""
    with connect(target, bank) as connection:
        memory, saver = FoxingMiddleware(connection), FoxingSaver(connection)
        call = {"name": "opening_hours", "args": {"museum": "Munch Museum"}, "id": "call-1"}
        answers = [
            AIMessage("", tool_calls=[call]),
            AIMessage("From 10 to 17, not on Mondays."),
            AIMessage("Good."),
            AIMessage("On Tuesday."),
        ]
        model = ScriptedModel(messages=iter(answers))
        agent = create_agent(model, [opening_hours], middleware=[memory], checkpointer=saver)
        for thread_id in ("oslo", "bergen"):
            saver.delete_thread(thread_id)
        for thread_id, said in (
            ("oslo", "When is the Munch Museum open?"),
            ("oslo", "Then I go on Tuesday."),
            ("bergen", "On which day did I want to see the Munch Museum?"),
        ):
            state = agent.invoke({"messages": [HumanMessage(said)]}, {"configurable": {"thread_id": thread_id}})
            print(f"user: {said}\nassistant: {state['messages'][-1].content}\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder) / "agent.db")
