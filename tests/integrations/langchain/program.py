"""What a user of LangChain's history and retriever writes; tests check its types."""

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.retrievers import BaseRetriever

from foxing.integrations.client import Connection
from foxing.integrations.langchain import FoxingChatMessageHistory, FoxingRetriever
from foxing.memory import Memory


def use(memory: Memory) -> list[Document]:
    with FoxingChatMessageHistory.connect(memory, bank="agent-7", session_id="chat-1") as history:
        kept: BaseChatMessageHistory = history
        kept.add_messages([HumanMessage("hello")])
        messages: list[BaseMessage] = history.messages
        connection: Connection = history.connection
        retriever: BaseRetriever = FoxingRetriever(connection=connection, k=len(messages))
        return retriever.invoke("hello")


async def use_a_server(url: str) -> list[Document]:
    async with FoxingRetriever.connect(url, bank="agent-7", api_key="secret", k=5, since="3 weeks ago") as retriever:
        history = FoxingChatMessageHistory.connect(url, bank="agent-7", session_id="chat-1", remember=False)
        await history.aadd_messages([HumanMessage("hello")])
        await history.aclose()
        return await retriever.ainvoke("hello")
