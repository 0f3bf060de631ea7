"""What a user of the services writes; tests check its types."""

from google.adk.agents import LlmAgent
from google.adk.memory.base_memory_service import BaseMemoryService
from google.adk.runners import Runner
from google.adk.sessions.base_session_service import BaseSessionService
from google.adk.tools.preload_memory_tool import PreloadMemoryTool
from google.genai import types

from foxing.integrations.client import Connection, connect
from foxing.integrations.google_adk import FoxingMemoryService, FoxingSessionService


async def use(url: str) -> list[str]:
    said: list[str] = []
    connection: Connection = connect(url, "agent-7", api_key="secret")
    async with FoxingMemoryService(connection, k=5) as memory, FoxingSessionService(connection) as sessions:
        agent = LlmAgent(name="guide", model="gemini-3-pro", tools=[PreloadMemoryTool()])
        runner = Runner(app_name="guide", agent=agent, session_service=sessions, memory_service=memory)
        session = await sessions.create_session(app_name="guide", user_id="ana", state={"city": "Oslo"})
        hello = types.Content(role="user", parts=[types.Part(text="hello")])
        async for event in runner.run_async(user_id="ana", session_id=session.id, new_message=hello):
            said.append(event.author)
        found = await memory.search_memory(app_name="guide", user_id="ana", query="hello")
        said += [entry.author or "" for entry in found.memories]
    return said


def services(url: str) -> tuple[BaseMemoryService, BaseSessionService]:
    return FoxingMemoryService.connect(url, bank="agent-7", max_tokens=500), FoxingSessionService.connect(
        url, "agent-7"
    )
