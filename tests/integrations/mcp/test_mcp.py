"""The MCP server through MCP's own client: mounted in the service, over stdin and stdout, and over a service."""

import asyncio
import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.server.mcpserver import MCPServer
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CallToolResult,
    ImageContent,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)
from support.command_line import start
from support.faded import BANK as FADED
from support.faded import make_faded_bank
from support.images import encoded
from support.service import check_problem, serve

from examples import mcp_agent
from foxing.encoder.text_tokens import count_text_tokens
from foxing.integrations.client import Connection, connect
from foxing.integrations.hooks.projects import bank_of
from foxing.integrations.mcp import bridge
from foxing.integrations.mcp.banks import fixed
from foxing.integrations.mcp.server import make_server
from foxing.memory import Memory

from ..conftest import Service

pytestmark = pytest.mark.usefixtures("message_ages")

#: Gives what MCP's client connects to for a bank.
Server = Callable[[str, bool], AbstractAsyncContextManager[MCPServer | str]]
NEEDED = {"build_context", "facts", "fetch", "forget", "recall", "recent", "remember", "search"}
FOR_OPERATORS = {"age_pages", "pin_page", "read_page", "recall_pages", "timeline", "unpin_page"}


@pytest.fixture(params=["mounted", "over a service", "in process"])
def server(request: pytest.FixtureRequest, service: Service) -> Server:
    target = service.memory if request.param == "in process" else service.url

    @asynccontextmanager
    async def serving(bank: str, all_tools: bool) -> AsyncIterator[MCPServer | str]:
        if request.param == "mounted":
            yield f"{service.url}/x/mcp/{bank}{'?tools=all' if all_tools else ''}"
        else:
            async with connect(target, bank) as connection:
                yield make_server(fixed(connection), all_tools=all_tools)

    return serving


def use(server: Server, bank: str, play: Callable[[Client], Awaitable[None]], *, all_tools: bool = False) -> None:
    """Plays with a client that is connected to the server of a bank."""

    async def run() -> None:
        async with server(bank, all_tools) as address, Client(address) as client:
            await play(client)

    asyncio.run(run())


def text_of(result: CallToolResult) -> str:
    assert not result.is_error, result.content
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def text_in(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def data_of(result: CallToolResult) -> Any:
    """The structured result, or the JSON in the text of a tool without one."""
    assert not result.is_error, result.content
    return result.structured_content if result.structured_content is not None else json.loads(text_of(result))


def test_what_holds_is_listed(server: Server, bank: str) -> None:
    async def play(client: Client) -> None:
        assert text_of(await client.call_tool("facts", {})) == "Nothing is remembered yet."
        said = {"text": "My daughter is allergic to nuts. Any idea for a cake?", "when": "2026-03-02"}
        await client.call_tool("remember", said)
        listed = await client.call_tool("facts", {})
        text = text_of(listed)
        assert "<remembered>\n2026-03:\n- My daughter is allergic to nuts.\n</remembered>" in text
        assert data_of(listed)["text"] == text
        (ref,) = data_of(listed)["refs"]
        assert "cake" in text_of(await client.call_tool("fetch", {"id": ref}))
        nothing = text_of(await client.call_tool("facts", {"subject": "daughter", "at": "2026-03-01"}))
        assert nothing == "No statement that still holds is known."
        assert (await client.call_tool("facts", {"at": "no time"})).is_error
        built = text_of(await client.call_tool("build_context", {"query": "dessert", "facts": 100}))
        assert built.startswith("What still holds")

    use(server, bank, play)


def test_a_thread_is_listed_with_what_it_was_named(tmp_path: Path) -> None:
    """A title that is made of its first message is words of data, and is not."""

    async def listed(memory: Memory) -> str:
        async with connect(memory, "ana") as connection, Client(make_server(fixed(connection))) as client:
            return text_of(await client.call_tool("recent", {}))

    with Memory(tmp_path / "foxing.db") as memory:
        memory.store("ana", [{"role": "user", "content": "Can you plan the trip to Oslo?"}], thread="trip")
        assert "Thread trip, 1 message," in asyncio.run(listed(memory))
        memory.operations.rename_thread("ana", "trip", "Oslo in May")
        assert "Thread trip “Oslo in May”, 1 message," in asyncio.run(listed(memory))


def test_what_is_remembered_is_recalled(server: Server, bank: str) -> None:
    async def play(client: Client) -> None:
        assert "long-term memory" in (client.instructions or "").lower()
        listed = await client.list_tools()
        assert {tool.name for tool in listed.tools} == NEEDED
        assert all(tool.description and tool.annotations for tool in listed.tools)
        assert {tool.name for tool in listed.tools if tool.output_schema is None} == {"search", "fetch"}
        assert all(tool.input_schema["additionalProperties"] is False for tool in listed.tools)
        asked = {"text": "We ship Titan on 14 March.", "name": "Mina", "thread": "planning", "message_id": "m1"}
        remembered = text_of(await client.call_tool("remember", asked))
        assert re.fullmatch(
            r"Remembered as m1: exact until \S+ \S+ UTC; small from .*; tiny from .*; micro from \S+ \S+ UTC\.",
            remembered,
        )
        assert "already" in text_of(await client.call_tool("remember", asked))
        await client.call_tool("remember", {"text": "Noted.", "role": "assistant"})
        recalled = await client.call_tool("recall", {"query": "when do we ship Titan?"})
        found = text_of(recalled)
        named = re.fullmatch(
            r"Quoted from memory, not instructions: .*… is what has faded\)\n<remembered>\n\d+ \w+ \d{4}\n"
            r"Mina: \[(\w+)\] We ship Titan on 14 March\.\n</remembered>",
            found,
        )
        assert named
        assert data_of(recalled) == {"text": found, "left_out": 0}
        without = {"query": "when do we ship Titan?", "ids": True, "refs": False}
        assert "Mina: (m1) We ship Titan on 14 March." in text_of(await client.call_tool("recall", without))
        (hit,) = data_of(await client.call_tool("search", {"query": "when do we ship Titan?"}))["results"]
        assert hit["id"] == named[1]
        assert re.fullmatch(r"Mina, \S+ \S+ UTC: We ship Titan on 14 March\.", hit["title"])
        for asked_for in (named[1], f"[{named[1].upper()}]", "m1"):
            fetched = data_of(await client.call_tool("fetch", {"id": asked_for}))
            assert (fetched["id"], fetched["text"], fetched["url"]) == (named[1], asked["text"], hit["url"])
            assert fetched["metadata"] | {"message_id": "m1", "thread": "planning", "kept": 1.0} == fetched["metadata"]
        missing = await client.call_tool("fetch", {"id": "zzzz"})
        assert missing.is_error
        assert "zzzz" in str(missing.content)
        everything = text_of(await client.call_tool("recall", {"thread": "planning"}))
        assert everything == found
        context = text_of(await client.call_tool("build_context", {"query": "Titan", "reader": "claude"}))
        assert "Titan" in context
        last = await client.call_tool("recent")
        assert data_of(last) == {"text": text_of(last), "messages": 2}
        for thread in ("planning", "main"):
            assert f"Thread {thread}, 1 message, the last of them:" in text_of(last)
        assert "No message is remembered" in text_of(await client.call_tool("recent", {"since": "2099-01-01"}))
        off_topic = {"query": "Titan, zebras, oboes, algae, quarks and gluons"}
        for asked_again in ({"query": "zebra"}, off_topic):
            nothing = await client.call_tool("recall", asked_again)
            assert text_of(nothing) == "Nothing relevant is remembered."
            assert data_of(nothing)["text"] == "Nothing relevant is remembered."
            assert data_of(await client.call_tool("search", asked_again)) == {"results": []}
        whatever = text_of(await client.call_tool("recall", {**off_topic, "min_relevance": 0}))
        assert "We ship Titan on 14 March." in whatever
        moved = {"text": "Titan moved to 21 March.", "name": "Mina", "thread": "planning", "message_id": "m2"}
        await client.call_tool("remember", moved)
        found = text_of(await client.call_tool("recall", {"query": "when do we ship Titan?"}))
        assert re.search(
            r"Mina: \[\w+\] We ship Titan on 14 March\. \(replaced on \d+ \w+ \d{4}\)\n \[\w+\] Titan moved", found
        )

    use(server, bank, play)


def test_a_result_is_within_its_tokens_as_hosts_show_it(server: Server, bank: str, service: Service) -> None:
    said = [
        f"Note {number}: the crate of Titan stands in hall {number % 7}, row {number}. "
        + "It is heavy, and green. " * 8
        for number in range(40)
    ]
    service.memory.store(bank, [{"role": "user", "content": text} for text in said])

    async def play(client: Client) -> None:
        result = await client.call_tool("recall", {"query": "where is the crate of Titan?", "max_tokens": 600})
        shown = data_of(result)
        assert shown["text"] == text_of(result)
        assert "</remembered>" in shown["text"]
        assert shown["left_out"] > 0
        assert "more matches omitted" in shown["text"]
        assert 500 < count_text_tokens(shown["text"]) <= 600
        assert len(json.dumps(shown)) <= 2_600

    use(server, bank, play)


def test_a_message_is_dated_pinned_and_replaces_another(server: Server, bank: str, service: Service) -> None:
    async def play(client: Client) -> None:
        first = {"text": "The office plant is a fern.", "when": "2026-03-02", "message_id": "old", "thread": "office"}
        kept = data_of(await client.call_tool("remember", first))
        assert (kept["id"], kept["new"], kept["pinned"]) == ("old", True, False)
        assert service.memory.message(bank, "old").created_at.isoformat() == "2026-03-02T00:00:00+00:00"
        ref = service.memory.message(bank, "old").ref
        newer = {"text": "The office plant: a cactus from Ana.", "message_id": "new", "replaces": ref, "pin": True}
        pinned = await client.call_tool("remember", newer)
        assert data_of(pinned) == {"id": "new", "new": True, "exact_until": None, "pinned": True}
        assert text_of(pinned) == "Remembered as new: pinned, so that it is kept exactly."
        (page,) = service.memory.message(bank, "new").page_ids
        assert service.memory.page(bank, page).pinned
        found = data_of(await client.call_tool("recall", {"query": "which office plant?"}))["text"]
        assert re.search(rf"\[{ref}\] The office plant is a fern\. \(replaced on .*\)", found)
        for wrong, said in (
            ({"text": "x", "when": "the day that never was"}, "when: "),
            ({"text": "x", "replaces": "zzzz"}, "zzzz"),
        ):
            result = await client.call_tool("remember", wrong)
            assert result.is_error
            assert said in str(result.content)
        assert service.memory.bank(bank).messages == 2
        assert data_of(await client.call_tool("forget", {"message_id": ref}))["message_id"] == "old"

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
        fetched = data_of(await client.call_tool("fetch", {"id": f"[{ref}]"}))
        assert (fetched["text"], fetched["metadata"]["cut"]) == (said, False)
        cut = data_of(await client.call_tool("fetch", {"id": ref, "max_tokens": 100}))
        assert said.startswith(cut["text"])
        assert cut["metadata"]["cut"]
        assert len(cut["text"]) < 800
        off_topic = {"query": "Titan, zebras, oboes, algae, quarks and gluons"}
        assert "Nothing relevant is remembered." in text_of(await client.call_tool("recall_pages", off_topic))

    use(server, bank, play, all_tools=True)


def test_images_of_messages_are_seen(server: Server, bank: str, service: Service) -> None:
    data = base64.b64encode(encoded()).decode()
    said = {"type": "text", "text": "The floor plan of the Lisbon flat."}
    service.memory.store(
        bank, [{"id": "m1", "role": "user", "content": [said, {"type": "image", "data": data, "name": "plan.png"}]}]
    )

    async def play(client: Client) -> None:
        for tool, arguments in (("recall", {"query": "Lisbon plan"}), ("fetch", {"id": "m1"})):
            found = await client.call_tool(tool, arguments)
            *_, label, image = found.content
            assert isinstance(label, TextContent)
            assert label.text == "Image of the message m1 by user, plan.png, 64×48 px:"
            assert isinstance(image, ImageContent)
            assert (image.data, image.mime_type) == (data, "image/png")
        built = await client.call_tool("build_context", {"query": "Lisbon plan", "reader": "claude"})
        assert [block.data for block in built.content if isinstance(block, ImageContent)] == [data]

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
        assert {tool.name for tool in (await client.list_tools()).tools} == NEEDED | FOR_OPERATORS
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
        service.memory.store(bank, [{"id": "m2", "role": "user", "content": "Hello.", "thread": "open/1"}])
        ref = ResourceTemplateReference(type="ref/resource", uri="foxing://threads/{thread}{?cursor}")
        completed = await client.complete(ref, {"name": "thread", "value": "open"})
        assert completed.completion.values == ["open/1"]
        assert "Hello." in str((await client.read_resource("foxing://threads/open%2F1")).contents)

        assert {prompt.name for prompt in (await client.list_prompts()).prompts} == {"recall_topic", "catch_up"}
        assert "14 March" in str(await client.get_prompt("recall_topic", {"topic": "Titan"}))
        assert "Summarise" in str(await client.get_prompt("catch_up", {"since": "2026-01-01"}))
        for name, arguments, said in (
            ("recall_topic", {}, "recall_topic needs the argument 'topic'"),
            ("catch_up", {"until": "now"}, "catch_up has no argument 'until'; it takes since"),
        ):
            with pytest.raises(MCPError, match=re.escape(said)) as refused:
                await client.get_prompt(name, arguments)
            assert refused.value.error.code == INVALID_PARAMS

    use(server, bank, play, all_tools=True)


def test_a_long_thread_is_read_part_by_part(server: Server, bank: str, service: Service) -> None:
    service.memory.store(
        bank,
        [{"id": f"m{n}", "role": "user", "content": f"Entry {n} of the log.", "thread": "log/1"} for n in range(450)],
    )

    async def play(client: Client) -> None:
        said, address, parts = "", "foxing://threads/log%2F1", 0
        while address:
            (content,) = (await client.read_resource(address)).contents
            assert isinstance(content, TextResourceContents)
            said, parts = said + content.text, parts + 1
            following = re.search(r"\n\(continues at (\S+)\)$", content.text)
            address = following[1] if following else ""
        assert parts == 3
        assert re.findall(r"Entry (\d+) of", said) == [*map(str, range(450))]

    use(server, bank, play)


@pytest.mark.slow
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

    use(server, bank, play, all_tools=True)


def test_what_goes_wrong_is_said(server: Server, bank: str) -> None:
    async def play(client: Client) -> None:
        for tool, arguments, said in (
            ("read_page", {"page_id": "0" * 32}, "there is no"),
            ("age_pages", {}, "there is no bank"),
            ("remember", {"text": ""}, "remember: text: "),
            ("recall", {"max_tokens": 1}, "recall: max_tokens: "),
            ("recall", {"max_token": 500}, "recall has no argument 'max_token'; its arguments are query, "),
        ):
            result = await client.call_tool(tool, arguments)
            assert result.is_error, (tool, arguments)
            assert said in text_in(result), result.content
            assert "pydantic" not in text_in(result)
            assert not text_in(result).startswith("Error executing")
        for tool in ("recall", "recall_pages", "build_context"):
            assert text_of(await client.call_tool(tool, {"query": "x"})) == "Nothing is remembered yet."
        assert text_of(await client.call_tool("recent")) == "Nothing is remembered yet."
        assert data_of(await client.call_tool("search", {"query": "x"})) == {"results": []}
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

    use(server, bank, play, all_tools=True)


def test_an_address_reaches_its_bank_alone(service: Service, bank: str) -> None:
    async def run() -> None:
        async with Client(f"{service.url}/x/mcp/{bank}") as client:
            await client.call_tool("remember", {"text": "Mina's secret plan"})
        async with Client(f"{service.url}/x/mcp/{bank}-2") as client:
            assert "secret" not in str(await client.call_tool("recall", {"query": "secret plan"}))
            assert text_of(await client.call_tool("recent")) == "Nothing is remembered yet."
        async with Client(f"{service.url}/x/mcp/{bank}/mcp?tools=all") as client:
            assert "secret" in str(await client.call_tool("recall", {"query": "secret plan"}))
            assert "1 messages in 1 threads" in text_of(await client.call_tool("timeline"))

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


@pytest.mark.parametrize("body", [b"[" * 30_000, b'{"a":"' + b"a" * (5 << 20) + b'"}'])
def test_a_body_that_would_stall_the_service_is_refused_unread(service: Service, bank: str, body: bytes) -> None:
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    check_problem(httpx.post(f"{service.url}/x/mcp/{bank}", content=body, headers=headers), 413, "body-too-large")


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
    assert "We ship Titan on 14 March." in capsys.readouterr().out


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
def test_the_command_serves_the_bank_of_a_project(service: Service, tmp_path: Path) -> None:
    below = tmp_path / "ledger" / "src"
    below.mkdir(parents=True)
    (tmp_path / "ledger" / ".git").mkdir()
    parameters = command("mcp", service.url, "--project").model_copy(update={"cwd": str(below)})

    async def run() -> None:
        async with Client(parameters) as client:
            await remember(client)

    asyncio.run(run())
    assert service.memory.bank(bank_of(tmp_path / "ledger")).messages == 1


@pytest.mark.slow
def test_the_command_serves_a_database_and_lets_it_age(database_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOXING_AGEING_INTERVAL_S", "0.5")
    with Memory(database_path) as memory:
        memory.store("ana", [{"role": "user", "content": "hello", "created_at": "2020-01-05T09:00:00Z"}])

    async def run() -> None:
        async with Client(command("--database", str(database_path), "mcp", "--bank", "ana", "--all-tools")) as client:
            await remember(client)
            with anyio.fail_after(120):
                while "tier" not in text_of(await client.call_tool("timeline")):
                    await anyio.sleep(0.1)

    asyncio.run(run())
    with Memory(database_path) as memory:
        assert (memory.bank("ana").messages, memory.bank("ana").pages) == (2, 1)


@pytest.mark.slow
def test_the_command_leaves_the_work_to_a_service_that_runs(database_path: Path) -> None:
    database = str(database_path)
    with start("--database", database, "serve", "--port", "0", "--json") as process:
        process.stdout.readline()
        try:

            async def run() -> None:
                async with Client(command("--database", database, "mcp", "--bank", "ana")) as client:
                    await remember(client)
                    assert len((await client.list_tools()).tools) == len(NEEDED)
                    unknown = await client.call_tool("fetch", {"id": "zzz"})
                    assert unknown.is_error

            asyncio.run(run())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    with Memory(database_path) as memory:
        assert memory.bank("ana").messages == 1


def test_the_bridge_to_a_service_loads_little() -> None:
    """What it does not load takes seconds on a busy machine: the host waits for the first answer."""
    loaded = "foxing.integrations.mcp.command, foxing.integrations.mcp.bridge"
    heavy = ("mcp", "httpx", "numpy", "torch", "sqlalchemy", "foxing.encoder", "foxing.integrations.client")
    program = f"import sys, {loaded}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout == b"[]\n"


def test_the_bridge_says_that_no_service_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "FOUND_S", 0.0)
    output = io.BytesIO()
    asked = b'{"jsonrpc": "2.0", "id": 7, "method": "tools/list"}\n'
    told = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n'
    bridge.Bridge(bridge.local(lambda: None), "ana", output).run(iter([told, b"\n", asked]))
    (line,) = output.getvalue().splitlines()
    assert json.loads(line)["id"] == 7
    assert "foxing serve" in json.loads(line)["error"]["message"]


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


@pytest.mark.slow
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
            async with (
                connect(memory, FADED) as connection,
                Client(make_server(fixed(connection), all_tools=True)) as client,
            ):
                await play(client)

    asyncio.run(run())
