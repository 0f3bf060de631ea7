"""What a user of the session writes; tests check its types."""

from agents import Agent, Runner, Session, SessionSettings, TResponseInputItem

from foxing.integrations.client import Connection
from foxing.integrations.openai_agents import FoxingSession
from foxing.memory import Memory


async def use(memory: Memory) -> list[TResponseInputItem]:
    settings = SessionSettings(limit=50)
    async with FoxingSession.connect(memory, bank="agent-7", session_id="chat-1", session_settings=settings) as session:
        await Runner.run(Agent(name="guide"), "hello", session=session)
        await session.add_items([{"role": "user", "content": "hello"}])
        last: TResponseInputItem | None = await session.pop_item()
        return await session.get_items(limit=3) if last is not None else []


async def use_a_server(url: str) -> Session:
    session = FoxingSession.connect(url, bank="agent-7", session_id="chat-1", api_key="secret", remember=False)
    await session.clear_session()
    connection: Connection = session.connection
    await connection.aclose()
    return session
