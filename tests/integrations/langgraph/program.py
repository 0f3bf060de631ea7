"""What a user of the store writes; tests check its types."""

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore, Item, SearchItem

from foxing.integrations.client import Connection
from foxing.integrations.langgraph import FoxingSaver, FoxingStore
from foxing.memory import Memory


def remembered(store: BaseStore) -> list[str]:
    found: list[SearchItem] = store.search(("users", "ana"), query="diet", filter={"year": {"$gte": 2026}})
    return [item.key for item in found]


def use(memory: Memory) -> Item | None:
    with FoxingStore.connect(memory, bank="agent-7", index=["text"], ttl={"default_ttl": 60}) as store:
        store.put(("users", "ana"), "diet", {"text": "vegetarian", "year": 2026}, ttl=5)
        remembered(store)
        connection: Connection = store.connection
        connection.close()
        return store.get(("users", "ana"), "diet")


async def use_a_server(url: str) -> list[tuple[str, ...]]:
    async with FoxingStore.connect(url, bank="agent-7", api_key="secret") as store:
        await store.aput(("users", "ana"), "diet", {"text": "vegetarian"})
        return await store.alist_namespaces(prefix=("users",))


def checkpointer(memory: Memory) -> BaseCheckpointSaver[str]:
    saver = FoxingSaver.connect(memory, bank="agent-7")
    saver.delete_thread("chat-1")
    return saver


async def latest(saver: FoxingSaver) -> str | None:
    found = await saver.aget_tuple({"configurable": {"thread_id": "chat-1"}})
    return None if found is None else found.checkpoint["id"]
