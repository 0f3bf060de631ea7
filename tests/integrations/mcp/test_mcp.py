"""The MCP server through MCP's own client: mounted in the service, over stdin and stdout, and over a service."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.server.mcpserver import MCPServer
from mcp_types import BlobResourceContents, CallToolResult, ImageContent, ResourceTemplateReference, TextContent
from support.faded import BANK as FADED
from support.faded import make_faded_bank
from support.service import check_problem, serve

from examples import mcp_agent
from foxing.integrations.client import Connection, connect
from foxing.integrations.mcp.banks import fixed
from foxing.integrations.mcp.server import make_server
from foxing.memory import Memory

from ..conftest import Service

pytestmark = pytest.mark.usefixtures("message_ages")

#: Gives what MCP's client connects to for a bank.
Server = Callable[[str], AbstractAsyncContextManager[MCPServer | str]]
TOOLS = {
    "build_context",
    "age_pages",
    "fetch",
    "forget",
    "pin_page",
    "read_page",
    "recall",
    "recall_pages",
    "remember",
    "timeline",
    "unpin_page",
}


@pytest.fixture(params=["mounted", "over a service", "in process"])
def server(request: pytest.FixtureRequest, service: Service) -> Server:
    target = service.memory if request.param == "in process" else service.url

    @asynccontextmanager
    async def serving(bank: str) -> AsyncIterator[MCPServer | str]:
        if request.param == "mounted":
            yield f"{service.url}/x/mcp/{bank}"
        else:
            async with connect(target, bank) as connection:
                yield make_server(fixed(connection))

    return serving


def use(server: Server, bank: str, play: Callable[[Client], Awaitable[None]]) -> None:
    """Plays with a client that is connected to the server of a bank."""

    async def run() -> None:
        async with server(bank) as address, Client(address) as client:
            await play(client)

    asyncio.run(run())


def text_of(result: CallToolResult) -> str:
    assert not result.is_error, result.content
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def test_what_is_remembered_is_recalled(server: Server, bank: str) -> None:
    async def play(client: Client) -> None:
        assert "long-term memory" in (client.instructions or "").lower()
        listed = await client.list_tools()
        assert {tool.name for tool in listed.tools} == TOOLS
        assert all(tool.description and tool.annotations for tool in listed.tools)
        asked = {"text": "We ship Titan on 14 March.", "name": "Mina", "thread": "planning", "message_id": "m1"}
        remembered = text_of(await client.call_tool("remember", asked))
        assert re.fullmatch(
            r"Remembered as m1: exact until \S+ \S+ UTC; small from .*; tiny from .*; micro from \S+ \S+ UTC\.",
            remembered,
        )
        assert "already" in text_of(await client.call_tool("remember", asked))
        await client.call_tool("remember", {"text": "Noted.", "role": "assistant"})
        found = text_of(await client.call_tool("recall", {"query": "when do we ship Titan?"}))
        assert re.fullmatch(r"\d+ \w+ \d{4}\nMina: We ship Titan on 14 March\.", found)
        with_ids = text_of(await client.call_tool("recall", {"query": "when do we ship Titan?", "ids": True}))
        assert "Mina: (m1) We ship Titan on 14 March." in with_ids
        with_refs = text_of(await client.call_tool("recall", {"query": "when do we ship Titan?", "refs": True}))
        named = re.search(r"Mina: \[(\w+)\] We ship Titan on 14 March\.", with_refs)
        assert named
        fetched = text_of(await client.call_tool("fetch", {"refs": [named[1], "zzzz"]}))
        assert re.match(r"\(zzzz: no message has it; look again, it may be misread\)\n", fetched)
        assert re.search(rf"\n\[{named[1]}\] Thread planning, id m1, \S+ \S+ UTC:\n", fetched)
        assert fetched.endswith("\nMina: We ship Titan on 14 March.")
        assert (await client.call_tool("fetch", {"refs": ["zzzz"]})).is_error
        everything = text_of(await client.call_tool("recall", {"thread": "planning"}))
        assert everything == found
        context = text_of(await client.call_tool("build_context", {"query": "Titan", "reader": "claude"}))
        assert "Titan" in context
        assert "2 messages in 2 threads, 2 of them not on a page yet" in text_of(await client.call_tool("timeline"))
        off_topic = {"query": "Titan, zebras, oboes, algae, quarks and gluons"}
        for asked_again in ({"query": "zebra"}, off_topic):
            assert "No remembered message matches" in text_of(await client.call_tool("recall", asked_again))
        assert "No remembered message matches" in text_of(await client.call_tool("recall_pages", off_topic))
        whatever = text_of(await client.call_tool("recall", {**off_topic, "min_relevance": 0}))
        assert "We ship Titan on 14 March." in whatever
        moved = {"text": "Titan moved to 21 March.", "name": "Mina", "thread": "planning", "message_id": "m2"}
        await client.call_tool("remember", moved)
        found = text_of(await client.call_tool("recall", {"query": "when do we ship Titan?"}))
        assert re.search(r"Mina: We ship Titan on 14 March\. \(replaced on \d+ \w+ \d{4}\)\nTitan moved", found)

    use(server, bank, play)


def test_what_an_image_shows_is_fetched_by_reference(server: Server, bank: str, service: Service) -> None:
    said = "Order W38 left. " + "The lamp is red. " * 200
    service.memory.store(bank, [{"id": "m1", "role": "user", "content": said}])
    service.memory.seal(bank)
    ref = service.memory.message(bank, "m1").ref

    async def play(client: Client) -> None:
        shown = await client.call_tool("recall_pages", {"query": "lamp", "reader": "claude-fable-5"})
        assert any(isinstance(block, ImageContent) for block in shown.content)
        assert "exactly, since the image may not show it: W38:" in text_of(shown)
        fetched = text_of(await client.call_tool("fetch", {"refs": [f"[{ref}]"]}))
        assert fetched.endswith(f"user: {said}")
        cut = text_of(await client.call_tool("fetch", {"refs": [ref], "max_tokens": 100}))
        assert cut.startswith(f"[{ref}] Thread main, id m1")
        assert cut.endswith("(cut at 100 tokens: fetch fewer references at once, or raise max_tokens)")
        assert len(cut) < 800

    use(server, bank, play)


def test_messages_and_threads_are_forgotten(server: Server, bank: str, service: Service) -> None:
    texts = {"m1": ("a", "My keyword is Zaubernuss."), "m2": ("a", "Titan ships."), "m3": ("b", "The door is red.")}
    service.memory.store(
        bank, [{"id": key, "role": "user", "content": text, "thread": thread} for key, (thread, text) in texts.items()]
    )
    service.memory.seal(bank)

    async def play(client: Client) -> None:
        assert "m1" in text_of(await client.call_tool("forget", {"message_id": "m1"}))
        assert "Zaubernuss" not in text_of(await client.call_tool("recall", {"query": "keyword"}))
        assert "1 messages" in text_of(await client.call_tool("forget", {"thread": "a"}))
        for arguments in ({"message_id": "m1"}, {"thread": "a"}, {}, {"message_id": "m3", "thread": "b"}):
            assert (await client.call_tool("forget", arguments)).is_error
        assert [span.message_id for span in service.memory.export(bank)] == ["m3"]

    use(server, bank, play)


def test_pages_are_seen_read_and_pinned(server: Server, bank: str, service: Service) -> None:
    service.memory.set_policy(bank, {"age_from": "message"})
    service.memory.store(
        bank, [{"id": "m1", "role": "user", "content": "We ship Titan on 14 March.", "created_at": "2026-01-05T09:00Z"}]
    )
    (page,) = service.memory.seal(bank).pages

    async def play(client: Client) -> None:
        shown = await client.call_tool("recall_pages", {"query": "Titan"})
        image = next(block for block in shown.content if isinstance(block, ImageContent))
        assert image.mime_type == "image/png"
        assert image.data.startswith("iVBOR")
        assert page in text_of(shown)
        laid_out = await client.call_tool("recall_pages", {"query": "Titan", "reader": "claude"})
        assert any(isinstance(block, ImageContent) for block in laid_out.content)
        assert "We ship Titan on 14 March." in text_of(await client.call_tool("read_page", {"page_id": page}))
        assert "pinned" in text_of(await client.call_tool("pin_page", {"page_id": page}))
        assert f"page {page}, 1 messages (main), tier base" in text_of(await client.call_tool("timeline"))
        assert text_of(await client.call_tool("age_pages")) == "No page is due."
        await client.call_tool("unpin_page", {"page_id": page})
        assert "Would age" in text_of(await client.call_tool("age_pages"))
        assert not service.memory.page(bank, page).pinned

        assert [resource.uri for resource in (await client.list_resources()).resources] == ["foxing://timeline"]
        templates = (await client.list_resource_templates()).resource_templates
        assert {template.name for template in templates} == {"page", "page_image", "message", "thread"}
        assert page in str((await client.read_resource("foxing://timeline")).contents)
        (content,) = (await client.read_resource(f"foxing://pages/{page}/image")).contents
        assert isinstance(content, BlobResourceContents)
        assert content.blob.startswith("iVBOR")
        for uri in (f"foxing://pages/{page}", "foxing://messages/m1", "foxing://threads/main"):
            assert "14 March" in str((await client.read_resource(uri)).contents)
        ref = ResourceTemplateReference(type="ref/resource", uri="foxing://pages/{page_id}")
        completed = await client.complete(ref, {"name": "page_id", "value": page[:4]})
        assert completed.completion.values == [page]

        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == {"recall_topic", "catch_up"}
        assert "14 March" in str(await client.get_prompt("recall_topic", {"topic": "Titan"}))
        assert "Summarise" in str(await client.get_prompt("catch_up", {"since": "2026-01-01"}))

    use(server, bank, play)


def test_partial_messages_are_marked(server: Server, service: Service, bank: str) -> None:
    """In text, and in full beside an image of a part."""
    long = "We ship Titan on 14 March. " * 550
    service.memory.store(bank, [{"id": "long", "role": "user", "content": long}])
    first, last = service.memory.seal(bank).pages

    async def play(client: Client) -> None:
        begun = text_of(await client.call_tool("read_page", {"page_id": first}))
        assert "partial: continues on a later page" in begun
        ended = text_of(await client.call_tool("read_page", {"page_id": last}))
        assert "partial: begins on an earlier page" in ended
        shown = text_of(await client.call_tool("recall_pages", {"query": "Titan"}))
        assert "partial messages that continue on a later page: long" in shown
        assert "Full text of the messages that these images show in part:" in shown
        assert long.strip() in shown

    use(server, bank, play)


def test_what_goes_wrong_is_said(server: Server, bank: str) -> None:
    async def play(client: Client) -> None:
        for tool, arguments, said in (
            ("read_page", {"page_id": "0" * 32}, "there is no"),
            ("age_pages", {}, "there is no bank"),
            ("remember", {"text": ""}, "text"),
            ("recall", {"max_tokens": 1}, "max_tokens"),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error, (tool, arguments)
            assert said in str(result.content), result.content
        for tool in ("recall", "recall_pages", "build_context"):
            assert text_of(await client.call_tool(tool, {"query": "x"})) == "Nothing is remembered yet."
        await client.call_tool("remember", {"text": "hello"})
        for tool, arguments, said in (
            ("recall", {"since": "the day that never was"}, "the day that never was"),
            ("build_context", {"query": "x", "reader": "abacus"}, "abacus"),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert said in str(result.content)
        with pytest.raises(MCPError, match="there is no"):
            await client.read_resource("foxing://messages/none")

    use(server, bank, play)


def test_an_address_reaches_its_bank_alone(service: Service, bank: str) -> None:
    async def run() -> None:
        async with Client(f"{service.url}/x/mcp/{bank}") as client:
            await client.call_tool("remember", {"text": "Mina's secret plan"})
        async with Client(f"{service.url}/x/mcp/{bank}-2") as client:
            assert "secret" not in str(await client.call_tool("recall", {"query": "secret plan"}))
            assert text_of(await client.call_tool("timeline")) == "Nothing is remembered yet."

    asyncio.run(run())
    assert service.memory.bank(bank).messages == 1


def test_the_service_checks_the_key_and_the_host(database_path: Path) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Accept": "application/json, text/event-stream"}
    with Memory(database_path) as memory:
        with serve(memory, api_key="secret") as http:
            assert http.post("/x/mcp/ana", json=body, headers=headers).status_code == 401
            wrong = {**headers, "Authorization": "Bearer wrong"}
            assert http.post("/x/mcp/ana", json=body, headers=wrong).status_code == 401
            right = {**headers, "Authorization": "Bearer secret"}
            assert http.post("/x/mcp/ana", json=body, headers=right).status_code == 200
        with serve(memory) as http:
            assert http.post("/x/mcp/ana", json=body, headers={**headers, "Host": "evil.example"}).status_code == 421
            assert http.post("/x/mcp/ana", json=body, headers={**headers, "Origin": "http://evil"}).status_code == 403
            assert http.post("/x/mcp/ana", json=body, headers=headers).status_code == 200


def test_there_is_no_stream_to_get(service: Service, bank: str) -> None:
    answer = httpx.get(f"{service.url}/x/mcp/{bank}", headers={"Accept": "text/event-stream"})
    check_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


def command(*arguments: str) -> StdioServerParameters:
    environment = {name: value for name, value in os.environ.items() if name.startswith(("FOXING_", "XDG_", "PYTHON"))}
    program = ["-m", "foxing.api.cli.main", *arguments]
    return StdioServerParameters(command=sys.executable, args=program, env=environment)


def test_the_example_answers_from_memory(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(mcp_agent.main(f"{service.url}/x/mcp/mcp-example"))
    assert "We ship Titan on 14 March." in capsys.readouterr().out.splitlines()[-1]


async def remember(client: Client) -> None:
    assert "Remembered" in text_of(await client.call_tool("remember", {"text": "We ship Titan on 14 March."}))
    assert "14 March" in text_of(await client.call_tool("recall", {"query": "Titan"}))


@pytest.mark.slow
def test_the_command_serves_a_service(service: Service, bank: str) -> None:
    async def run() -> None:
        async with Client(command("mcp", service.url, "--bank", bank)) as client:
            await remember(client)

    asyncio.run(run())
    assert service.memory.bank(bank).messages == 1


@pytest.mark.slow
def test_the_command_serves_a_database_and_lets_it_age(database_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_AGEING_INTERVAL_S", "0.5")
    with Memory(database_path) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "created_at": "2020-01-05T09:00:00Z"}])

    async def run() -> None:
        async with Client(command("--database", str(database_path), "mcp", "--bank", "ana")) as client:
            await remember(client)
            with anyio.fail_after(120):
                while "tier" not in text_of(await client.call_tool("timeline")):
                    await anyio.sleep(0.1)

    asyncio.run(run())
    with Memory(database_path) as memory:
        assert (memory.bank("ana").messages, memory.bank("ana").pages) == (2, 1)


@pytest.mark.slow
def test_a_hundred_agents_write_at_once(service: Service, bank: str) -> None:
    async def agent(number: int) -> None:
        async with Client(f"{service.url}/x/mcp/{bank}", mode="2026-07-28") as client:
            arguments = {"text": f"agent {number} was here", "thread": f"agent-{number}"}
            assert not (await client.call_tool("remember", arguments)).is_error

    async def run() -> None:
        await asyncio.gather(*map(agent, range(100)))

    asyncio.run(run())
    with connect(service.memory, bank) as connection:
        assert_all_are_there(connection)


def assert_all_are_there(connection: Connection) -> None:
    found = connection.run(lambda memory: memory.recall(connection.bank, limit=500)).spans
    said = sorted((message.thread, message.text) for message in found)
    assert said == sorted((f"agent-{number}", f"agent {number} was here") for number in range(100))


def test_what_is_kept_is_said_beside_the_confidence(tmp_path: Path) -> None:
    make_faded_bank(tmp_path / "foxing.db")

    async def play(client: Client) -> None:
        with Memory(tmp_path / "foxing.db") as memory:
            page = memory.pages(FADED).pages[0].id
            reading = memory.read_page(FADED, page)
        text = text_of(await client.call_tool("read_page", {"page_id": page}))
        assert f"{reading.kept_percent}% kept, read with confidence" in text
        assert all(f"({message.message_id})" in text for message in reading.messages)
        assert "⋯" not in text
        faded = next(message for message in reading.messages if len(message.gaps) > 1)
        assert faded.with_gap_mark(" … ").text.strip() in text
        (content,) = (await client.read_resource(f"foxing://messages/{faded.message_id}")).contents
        assert f"{faded.kept_percent}% kept" in str(content)
        assert "remaining text read with confidence" in text_of(await client.call_tool("timeline"))

    async def run() -> None:
        with Memory(tmp_path / "foxing.db") as memory:
            async with connect(memory, FADED) as connection, Client(make_server(fixed(connection))) as client:
                await play(client)

    asyncio.run(run())
