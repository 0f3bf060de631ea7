"""An agent of Google ADK that remembers what was said in other sessions.

python examples/google_adk_agent.py                         # with a temporary database
python examples/google_adk_agent.py http://127.0.0.1:8765   # with a running service
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.adk.tools.preload_memory_tool import PreloadMemoryTool
from google.genai import types

from foxing.integrations.client import Target, connect
from foxing.integrations.google_adk import FoxingMemoryService, FoxingSessionService


class ScriptedModel(BaseLlm):
    """Gives a scripted answer. Replace it with a real model: `LlmAgent(model="gemini-3-pro", …)`."""

    model: str = "scripted"

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        """Yields an answer that depends on what the request holds."""
        texts = [part.text or "" for content in llm_request.contents for part in content.parts or ()]
        answer = "On Tuesday." if any("Munch Museum on Tuesday" in text for text in texts) else "Good."
        yield LlmResponse(content=types.Content(role="model", parts=[types.Part(text=answer)]))


async def main(target: Target, bank: str = "google-adk-example") -> None:
    """Runs two sessions: the second is answered from the first."""
    async with connect(target, bank) as connection:
        memory, sessions = FoxingMemoryService(connection), FoxingSessionService(connection)
        agent = LlmAgent(name="guide", model=ScriptedModel(), tools=[PreloadMemoryTool()])
        async with Runner(app_name="guide", agent=agent, session_service=sessions, memory_service=memory) as runner:
            for session_id, said in (
                ("oslo", "I go to the Munch Museum on Tuesday."),
                ("bergen", "On which day did I want to see the Munch Museum?"),
            ):
                await sessions.delete_session(app_name="guide", user_id="mina", session_id=session_id)
                await sessions.create_session(app_name="guide", user_id="mina", session_id=session_id)
                question = types.Content(role="user", parts=[types.Part(text=said)])
                async for event in runner.run_async(user_id="mina", session_id=session_id, new_message=question):
                    if event.is_final_response() and event.content and event.content.parts:
                        print(f"user: {said}\nassistant: {event.content.parts[0].text}\n")
                ended = await sessions.get_session(app_name="guide", user_id="mina", session_id=session_id)
                if ended is not None:
                    await memory.add_session_to_memory(ended)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(main(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "agent.db"))
