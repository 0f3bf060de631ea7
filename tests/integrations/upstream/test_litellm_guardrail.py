"""LiteLLM's compression guardrail against a running service."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.litellm_package import needs_litellm, run_with_litellm
from support.service import serve

from foxing.memory import Memory, MemoryOptions

pytestmark = [pytest.mark.slow, needs_litellm]

KEY = "a-long-random-string"
PROGRAM = """
import asyncio, json, sys
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.guardrails.guardrail_hooks.headroom.headroom import HeadroomGuardrail

url, key, given = sys.argv[1], sys.argv[2], json.load(sys.stdin)

async def ask(guard, data, messages):
    inputs = {"structured_messages": messages}
    try:
        made = await guard.apply_guardrail(inputs=inputs, request_data=data, input_type="request")
    except Exception as error:
        return {"error": str(getattr(error, "detail", error))}
    return {"messages": made["structured_messages"], "tools": [t["function"]["name"] for t in made.get("tools", [])]}

async def retrieve(guard, data, messages, hash, **more):
    call = {"id": "call_r", "type": "function", "name": "headroom_retrieve", "arguments": {"hash": hash, **more}}
    plan = await guard.async_build_agentic_loop_plan(
        tools={"tool_calls": [call]}, model="m", messages=messages, response={"choices": []},
        anthropic_messages_provider_config=None, anthropic_messages_optional_request_params={}, logging_obj=None,
        stream=False, kwargs=data)
    return plan.request_patch.messages[-1]["content"]

async def main():
    guard = HeadroomGuardrail(api_base=url, api_key=key, guardrail_name="foxing", default_on=True)
    wrong = HeadroomGuardrail(api_base=url, api_key="wrong", guardrail_name="wrong", default_on=True)
    lenient = HeadroomGuardrail(
        api_base=url, api_key="wrong", guardrail_name="lenient", unreachable_fallback="fail_open")
    def data(session, **more):
        auth = UserAPIKeyAuth(api_key="virtual-key")
        return {"model": "m", "session_id": session, "metadata": {"user_api_key_auth": auth}, **more}
    answers, first = {}, data("one")
    answers["first"] = await ask(guard, first, given)
    answers["again"] = await ask(guard, data("one"), given)
    hash = answers["first"]["messages"][3]["content"].partition("hash=")[2][:24]
    answers["exact"] = await retrieve(guard, first, given, hash)
    answers["part"] = await retrieve(guard, first, given, hash, query="when does Titan go to Lisbon?")
    answers["foreign"] = await retrieve(guard, first, given, "0" * 24)
    other = data("two")
    await ask(guard, other, given)
    from litellm.types.proxy.guardrails.guardrail_hooks.headroom import HEADROOM_REQUEST_CONTEXT_KEY as CONTEXT
    import dataclasses
    other[CONTEXT] = dataclasses.replace(other[CONTEXT], issued_hashes=frozenset([hash]))
    answers["session two"] = await retrieve(guard, other, given, hash)
    bypassed = data("three", proxy_server_request={"headers": {"x-headroom-bypass": "true"}})
    answers["bypass"] = await ask(guard, bypassed, given)
    answers["wrong key"] = await ask(wrong, data("four"), given)
    answers["lenient"] = await ask(lenient, data("four"), given)
    answers["no session"] = await ask(guard, {"model": "m"}, given)
    print(json.dumps(answers))

asyncio.run(main())
"""


def conversation() -> list[dict[str, Any]]:
    """A conversation of tool calls, in blocks as the Messages API has them where LiteLLM translates them."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You build things. " * 100}]
    for turn in range(80):
        if turn % 10 == 0:
            messages.append({"role": "user", "content": [{"type": "text", "text": f"Build part {turn}, please."}]})
        call = {"id": f"call_{turn}", "type": "function", "function": {"name": "run", "arguments": "{}"}}
        lines = [f"Part {turn} opened the file of step {line} and closed it without any change." for line in range(30)]
        lines[15] = f"The Titan release moves to Lisbon on {turn % 28 + 1} March. Order ORD-{10_000 + turn}."
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"call_{turn}", "content": "\n".join(lines)})
    return [*messages, {"role": "user", "content": "And now?"}]


def test_the_guardrail_of_litellm_compresses_and_retrieves(tmp_path: Path) -> None:
    given = conversation()
    options = MemoryOptions(embedder="none")
    with Memory(tmp_path / "foxing.db", options=options) as memory, serve(memory, api_key=KEY) as client:
        answers = json.loads(run_with_litellm(PROGRAM, str(client.base_url), KEY, given=json.dumps(given)))
        banks = memory.banks().banks
    first = answers["first"]
    assert first["tools"] == ["headroom_retrieve"]
    assert answers["again"] == first
    assert [message["role"] for message in first["messages"]] == [message["role"] for message in given]
    replaced = [number for number, message in enumerate(first["messages"]) if message != given[number]]
    assert len(replaced) > 50
    assert {given[number]["role"] for number in replaced} == {"tool"}
    for turn, number in enumerate(replaced):
        excerpt = first["messages"][number]["content"]
        assert f"Lisbon on {turn % 28 + 1} March." in excerpt
        assert f"ORD-{10_000 + turn}" in excerpt
    assert answers["exact"] == given[3]["content"]
    assert "Lisbon on 1 March" in answers["part"]
    assert len(answers["part"]) < len(answers["exact"]) / 2
    assert "was not produced by the current request" in answers["foreign"]
    assert "not found or expired" in answers["session two"]
    assert answers["bypass"] == answers["lenient"] == {"messages": given, "tools": []}
    assert "'status_code': 401" in answers["wrong key"]["error"]
    assert len(answers["no session"]["messages"]) == len(given)
    assert len(banks) == 3
    assert all(bank.id.startswith("compress-") and bank.messages == len(replaced) for bank in banks)
