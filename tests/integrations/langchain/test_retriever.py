"""The retriever: LangChain's own suite, and what is in its documents."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import pytest
from langchain_core.documents import Document

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.langchain import FoxingRetriever
from foxing.memory import InvalidInput

pytestmark = pytest.mark.usefixtures("message_ages")

standard = pytest.importorskip("langchain_tests.integration_tests", reason="needs langchain-tests")

TALK: list[dict[str, object]] = [
    {"id": "m1", "role": "user", "content": "We ship Titan on 14 March.", "created_at": "2026-01-05T09:00:00Z"},
    {"id": "m2", "role": "assistant", "content": "Titan ships without maps.", "created_at": "2026-01-06T09:00:00Z"},
    {"id": "m3", "role": "user", "content": "Who tests Titan?", "created_at": "2026-01-07T09:00:00Z", "name": "mina"}
    | {"metadata": {"team": "qa"}},  # type: ignore[misc]
    {"id": "m4", "role": "user", "content": "Lunch is at noon.", "created_at": "2026-01-08T09:00:00Z"},
    {"id": "m5", "role": "user", "content": "Titan is on schedule.", "created_at": "2026-01-09T09:00:00Z"},
]


@pytest.fixture
def connection(target: Target, bank: str) -> Iterator[Connection]:
    with connect(target, bank) as connection:
        connection.run(lambda memory: memory.store(bank, TALK, thread="titan"))
        yield connection


@pytest.mark.anyio
class TestFoxingRetriever(standard.RetrieversIntegrationTests):  # type: ignore[misc,name-defined]
    """LangChain's suite."""

    connection: ClassVar[Connection]

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture(autouse=True)
    async def _connected(self, anyio_backend: str, connection: Connection) -> AsyncIterator[None]:
        type(self).connection = connection
        yield
        await connection.aclose()

    @property
    def retriever_constructor(self) -> type[FoxingRetriever]:
        return FoxingRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"connection": self.connection}

    @property
    def retriever_query_example(self) -> str:
        return "when do we ship Titan?"


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_a_document_says_where_it_is_from(connection: Connection) -> None:
    (found,) = FoxingRetriever(connection=connection, k=1).invoke("who tests?")
    assert (found.id, found.page_content) == ("m3", "Who tests Titan?")
    expected = {"thread": "titan", "role": "user", "name": "mina", "created_at": "2026-01-07T09:00:00+00:00"}
    expected |= {"metadata": {"team": "qa"}, "source": "open", "confidence": 1.0, "kept": 1.0, "page_ids": []}
    assert {key: found.metadata[key] for key in expected} == expected
    assert found.metadata["score"] > 0
    assert 0 < found.metadata["relevance"] <= 1


def test_documents_are_read_from_aged_pages(connection: Connection) -> None:
    connection.run(lambda memory: memory.set_policy(connection.bank, {"age_from": "message"}))
    connection.run(lambda memory: memory.seal(connection.bank, now="2026-01-10"))
    connection.run(lambda memory: memory.age(connection.bank, now="2026-03-01"))
    found = FoxingRetriever(connection=connection, k=5).invoke("when do we ship Titan?")
    assert {(each.metadata["tier"], each.metadata["source"]) for each in found} == {("tiny", "decoded")}
    assert "14 March" in str([each.page_content for each in found])
    assert all(len(each.metadata["page_ids"]) == 1 for each in found)


def test_a_retriever_is_narrowed(connection: Connection) -> None:
    def found(**fields: Any) -> list[str | None]:
        return sorted(ids(FoxingRetriever(connection=connection, k=10, **fields).invoke("Titan")), key=str)

    assert {"m1", "m2", "m3", "m5"} <= set(found())
    assert found(since="2026-01-06", until="2026-01-07") == ["m2", "m3"]
    assert found(message_metadata={"team": "qa"}) == ["m3"]
    assert found(thread="other") == []
    nearby = FoxingRetriever(connection=connection, k=1, neighbours=1).invoke("who tests?")
    assert {each.id: each.metadata["neighbour_of"] for each in nearby} == {"m2": "m3", "m3": None, "m4": "m3"}
    assert len(found(max_tokens=8)) == 1


async def retrieve(target: Target, bank: str) -> list[Document]:
    async with FoxingRetriever.connect(target, bank, k=1) as retriever:
        assert await retriever.ainvoke("") == []
        return await retriever.ainvoke("who tests?")


def test_documents_are_retrieved_asynchronously(connection: Connection, target: Target) -> None:
    assert ids(asyncio.run(retrieve(target, connection.bank))) == ["m3"]
    assert asyncio.run(retrieve(target, "no-such-bank")) == []


def test_what_cannot_be_answered(connection: Connection, target: Target) -> None:
    retriever = FoxingRetriever(connection=connection)
    assert retriever.invoke(" ") == []
    assert retriever.invoke("words " * 5_000 + "Titan") == []
    assert len(FoxingRetriever(connection=connection, min_relevance=0).invoke("words " * 5_000 + "Titan")) == 4
    with FoxingRetriever.connect(target, "no-such-bank") as other:
        assert other.invoke("Titan") == []
    with pytest.raises(ValueError, match="500"):
        FoxingRetriever(connection=connection, k=501)
    with pytest.raises(InvalidInput):
        retriever.invoke("Titan", k=0)
    with pytest.raises(InvalidInput):
        FoxingRetriever(connection=connection, since="the day that never was").invoke("Titan")
