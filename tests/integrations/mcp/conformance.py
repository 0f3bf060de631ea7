"""Runs MCP's conformance suite against the server as the service mounts it.

    .venv/bin/python tests/integrations/mcp/conformance.py

Needs Node 22 or newer and the npm registry. Most scenarios call tools, resources and prompts that only the suite's own
sample servers have. They run against the same server with those added, mounted beside it with sessions.
"""

import base64
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.plugins import declare

SUITE = "@modelcontextprotocol/conformance@0.1.16"
#: Scenarios that need nothing but what every server of this kind has.
PLAIN = (
    "server-initialize",
    "ping",
    "completion-complete",
    "tools-list",
    "resources-list",
    "prompts-list",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
)


def _png() -> str:
    """A red pixel, in Base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


PNG = _png()
WAV = base64.b64encode(
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x40\x1f\0\0\1\0\x08\0data\0\0\0\0"
).decode()
IMAGE = types.ImageContent(type="image", data=PNG, mime_type="image/png")


class MemoryEvents(EventStore):
    """Events of streams that a client may resume."""

    def __init__(self) -> None:
        self.events: list[tuple[StreamId, Any]] = []

    async def store_event(self, stream_id: StreamId, message: Any) -> EventId:
        self.events.append((stream_id, message))
        return str(len(self.events) - 1)

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        stream, _ = self.events[int(last_event_id)]
        for number, (other, message) in list(enumerate(self.events))[int(last_event_id) + 1 :]:
            if other == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def _resource(uri: str, text: str, media_type: str = "text/plain") -> types.EmbeddedResource:
    contents = types.TextResourceContents(uri=uri, mime_type=media_type, text=text)
    return types.EmbeddedResource(type="resource", resource=contents)


def add_contents(server: MCPServer) -> None:
    """Tools that return content of every kind."""

    async def test_simple_text() -> str:
        return "This is a simple text response for testing."

    async def test_image_content() -> list[types.ContentBlock]:
        return [IMAGE]

    async def test_audio_content() -> list[types.ContentBlock]:
        return [types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")]

    async def test_embedded_resource() -> list[types.ContentBlock]:
        return [_resource("test://embedded-resource", "This is an embedded resource content.")]

    async def test_multiple_content_types() -> list[types.ContentBlock]:
        text = types.TextContent(type="text", text="Multiple content types test:")
        data = json.dumps({"test": "data", "value": 123})
        return [text, IMAGE, _resource("test://mixed-content-resource", data, "application/json")]

    async def test_error_handling() -> str:
        raise ToolError("This tool intentionally returns an error for testing")

    async def json_schema_2020_12_tool() -> str:
        return "ok"

    tools = (test_simple_text, test_image_content, test_audio_content, test_embedded_resource)
    for tool in (*tools, test_multiple_content_types, test_error_handling, json_schema_2020_12_tool):
        server.add_tool(tool, description=tool.__name__, structured_output=False)
    schema = server._tool_manager.get_tool("json_schema_2020_12_tool")
    assert schema is not None
    street = {"type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}
    schema.parameters = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": street},
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
        "additionalProperties": False,
    }


def add_conversations(server: MCPServer) -> None:
    """Tools that talk to the client while they run."""

    async def test_tool_with_logging(context: Context) -> str:
        for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await context.session.send_log_message(level="info", data=text, related_request_id=context.request_id)
            await anyio.sleep(0.05)
        return "logged"

    async def test_tool_with_progress(context: Context) -> str:
        for progress in (0, 50, 100):
            await context.report_progress(progress, 100)
            await anyio.sleep(0.05)
        return "progressed"

    async def test_sampling(prompt: str, context: Context) -> str:
        asked = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=prompt))
        said = await context.session.create_message([asked], max_tokens=100, related_request_id=context.request_id)
        return f"LLM response: {said.content.text if isinstance(said.content, types.TextContent) else said.content}"

    async def test_reconnection(context: Context) -> str:
        await context.close_sse_stream()
        await anyio.sleep(0.3)
        return "Reconnection test completed"

    for tool in (test_tool_with_logging, test_tool_with_progress, test_sampling, test_reconnection):
        server.add_tool(tool, description=tool.__name__, structured_output=False)


def add_questions(server: MCPServer) -> None:
    """Tools that ask the user."""
    one_of = [{"const": f"value{n}", "title": f"{word} Option"} for n, word in enumerate(("First", "Second"), 1)]
    choices = [{"const": f"value{n}", "title": f"{word} Choice"} for n, word in enumerate(("First", "Second"), 1)]
    options = ["option1", "option2", "option3"]
    legacy = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
    schemas: dict[str, dict[str, Any]] = {
        "test_elicitation": {"username": {"type": "string"}, "email": {"type": "string"}},
        "test_elicitation_sep1034_defaults": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
            "verified": {"type": "boolean", "default": True},
        },
        "test_elicitation_sep1330_enums": {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": one_of},
            "legacyEnum": {"type": "string", **legacy},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": choices}},
        },
    }
    for name, properties in schemas.items():

        async def ask(context: Context, message: str = "?", properties: Any = properties) -> str:
            schema = {"type": "object", "properties": properties, "required": []}
            said = await context.session.elicit_form(message, schema, related_request_id=context.request_id)
            return f"Elicitation completed: action={said.action}, content={json.dumps(said.content)}"

        server.add_tool(ask, name=name, description=name, structured_output=False)


def add_resources_and_prompts(server: MCPServer) -> None:
    """Resources and prompts of every kind, subscriptions and log levels."""

    async def text() -> str:
        return "This is the content of the static text resource."

    async def binary() -> bytes:
        return base64.b64decode(PNG)

    async def template(id: str) -> str:
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    server.resource("test://static-text", name="text", mime_type="text/plain")(text)
    server.resource("test://static-binary", name="binary", mime_type="image/png")(binary)
    server.resource("test://watched-resource", name="watched", mime_type="text/plain")(text)
    server.resource("test://template/{id}/data", name="template", mime_type="application/json")(template)

    async def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    async def test_prompt_with_embedded_resource(resourceUri: str) -> list[Any]:
        return [_resource(resourceUri, "Embedded resource content for testing."), "Please process the resource."]

    async def test_prompt_with_image() -> list[Any]:
        return [IMAGE, "Please analyze the image above."]

    prompts = (test_simple_prompt, test_prompt_with_arguments, test_prompt_with_embedded_resource)
    for prompt in (*prompts, test_prompt_with_image):
        server.prompt(description=prompt.__name__)(prompt)

    async def accept(context: Any, parameters: Any) -> types.EmptyResult:
        return types.EmptyResult()

    low = server._lowlevel_server
    low.add_request_handler("resources/subscribe", types.SubscribeRequestParams, accept)
    low.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, accept)
    low.add_request_handler("logging/setLevel", types.SetLevelRequestParams, accept)


def make_app(memory: Any) -> Starlette:
    """The server of the service, with what the suite asks for."""
    from foxing.integrations.mcp.banks import by_address
    from foxing.integrations.mcp.server import make_server

    server = make_server(by_address(memory))
    add_contents(server)
    add_conversations(server)
    add_questions(server)
    add_resources_and_prompts(server)
    return server.streamable_http_app(
        streamable_http_path="/{bank}",
        event_store=MemoryEvents(),
        retry_interval=100,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """The address of a service that mounts both servers."""
    from support.service import serve

    from foxing.memory import Memory, MemoryOptions

    declare(folder, "conformance", {"foxing.apps": {"conformance": f"{Path(__file__).stem}:make_app"}})
    sys.path[:0] = [str(folder), str(Path(__file__).parent)]
    with Memory(folder / "foxing.db", options=MemoryOptions(embedder="none")) as memory, serve(memory) as client:
        memory.store("ana", [{"role": "user", "content": "We ship Titan on 14 March."}])
        yield str(client.base_url)


def run(url: str, *arguments: str) -> dict[str, tuple[int, int]]:
    """Scenario → checks that passed and that failed."""
    program = os.environ.get("CONFORMANCE", f"npx --yes {SUITE}").split()
    done = subprocess.run([*program, "server", "--url", url, *arguments], capture_output=True, text=True)
    found = re.findall(r"^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed", done.stdout, re.MULTILINE)
    if not found and "--scenario" in arguments:
        passed, total = map(int, re.findall(r"Passed: (\d+)/(\d+)", done.stdout)[0])
        return {arguments[arguments.index("--scenario") + 1]: (passed, total - passed)}
    if not found:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return {name: (int(passed), int(failed)) for name, passed, failed in found}


def main() -> None:
    failures = 0
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as url:
        as_shipped = run(f"{url}/x/mcp/ana", "--suite", "all")
        with_samples = run(f"{url}/x/conformance/ana", "--suite", "all")
    print("| scenario | as shipped | with the suite's samples |\n|---|---|---|")
    for name, (passed, failed) in with_samples.items():
        shown = "{} passed, {} failed".format(*as_shipped[name]) if name in PLAIN else "–"
        failures += failed + (as_shipped[name][1] if name in PLAIN else 0)
        print(f"| {name} | {shown} | {passed} passed, {failed} failed |")
    print(f"{failures} checks failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
