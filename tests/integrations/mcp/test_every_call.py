"""Every tool, resource and prompt answers without an error, to the SDKs for Python and TypeScript.

`MCP_TYPESCRIPT_SDK` is the folder `node_modules` in which `npm install @modelcontextprotocol/sdk` puts that package.
"""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import ResourceTemplateReference

from ..conftest import Service

MODULES = os.environ.get("MCP_TYPESCRIPT_SDK")
Calls = dict[str, list[str]]
EVERY = {
    "tools": {
        *("remember", "recall", "build_context", "recent", "search", "fetch", "forget"),
        *("facts", "recall_pages", "read_page", "timeline", "pin_page", "unpin_page", "age_pages"),
    },
    "prompts": {"recall_topic", "catch_up"},
}


@pytest.fixture
def places(service: Service, bank: str) -> tuple[str, str, str]:
    """The address of the server, a page and a message."""
    messages = [
        {"role": "user", "content": f"Step {number}: we ship Titan on {number} March."} for number in range(1, 29)
    ]
    ids = service.memory.store(bank, messages, thread="plans").ids
    service.memory.seal(bank)
    service.memory.store(bank, [{"role": "assistant", "content": "Noted: Titan."}], thread="plans")
    page = service.memory.pages(bank).pages[0].id
    return f"{service.url}/x/mcp/{bank}?tools=all", page, ids[0]


async def call_everything(url: str, page: str, message: str) -> Calls:
    arguments: dict[str, dict[str, Any]] = {
        "remember": {"text": "Titan has 12 berths.", "message_id": "m-new", "thread": "new"},
        "recall": {"query": "When do we ship Titan?", "refs": True},
        "build_context": {"query": "When do we ship Titan?", "budget": 2_000},
        "recent": {},
        "search": {"query": "When do we ship Titan?"},
        "fetch": {"id": message},
        "facts": {},
        "recall_pages": {"query": "When do we ship Titan?", "reader": "claude"},
        "read_page": {"page_id": page},
        "timeline": {},
        "pin_page": {"page_id": page},
        "unpin_page": {"page_id": page},
        "age_pages": {"dry_run": True},
        "forget": {"message_id": "m-new"},
    }
    called: Calls = {"tools": [], "resources": [], "prompts": []}
    async with Client(url) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == set(arguments)
        for name, given in arguments.items():
            result = await client.call_tool(name, given)
            assert not result.is_error, (name, result.content)
            called["tools"].append(name)
        templates = (await client.list_resource_templates()).resource_templates
        filled = {"{page_id}": page, "{message_id}": message, "{thread}": "plans", "{?cursor}": ""}
        addresses = [str(resource.uri) for resource in (await client.list_resources()).resources]
        for template in templates:
            address = template.uri_template
            for name, value in filled.items():
                address = address.replace(name, value)
            addresses.append(address)
        for address in addresses:
            assert (await client.read_resource(address)).contents
            called["resources"].append(address)
        for prompt in (await client.list_prompts()).prompts:
            needed = {each.name: "Titan" for each in prompt.arguments or () if each.required}
            assert (await client.get_prompt(prompt.name, needed)).messages
            called["prompts"].append(prompt.name)
        (thread,) = [template.uri_template for template in templates if "{thread}" in template.uri_template]
        reference = ResourceTemplateReference(type="ref/resource", uri=thread)
        found = await client.complete(reference, {"name": "thread", "value": "pl"})
        assert "plans" in found.completion.values
    return called


def check(called: Calls) -> None:
    assert {kind: set(called[kind]) for kind in EVERY} == EVERY
    assert len(called["resources"]) >= 5


@pytest.mark.slow
def test_python(places: tuple[str, str, str]) -> None:
    check(asyncio.run(call_everything(*places)))


@pytest.mark.slow
@pytest.mark.skipif(MODULES is None or shutil.which("node") is None, reason="needs Node.js and MCP_TYPESCRIPT_SDK")
def test_typescript(places: tuple[str, str, str]) -> None:
    program = Path(__file__).with_name("every_call.mjs")
    done = subprocess.run(["node", str(program), str(MODULES), *places], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout))
