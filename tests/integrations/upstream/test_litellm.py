"""LiteLLM against the upstream."""

import json

import pytest
from support.litellm_package import needs_litellm, run_with_litellm

from tests.upstream import ScriptedCall, Thinking, Upstream

PROGRAM = """
import asyncio, json, sys
import litellm
url, openai_url = sys.argv[1:]
tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}]
claude = dict(model="anthropic/claude-fable-5-1", api_base=url, api_key="key", tools=[tool])
first = litellm.completion(messages=messages, **claude).choices[0].message
messages.append(first.model_dump())
messages += [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in first.tool_calls]
texts = ["".join(chunk.choices[0].delta.content or "" for chunk in
                 litellm.completion(messages=messages, stream=True, **claude))]
gpt = dict(model="openai/gpt-5.6", api_base=openai_url, api_key="key")
texts.append(litellm.completion(messages=messages[:2], **gpt).choices[0].message.content)
texts.append(litellm.responses(input="hello", **gpt).output[0].content[0].text)
del claude["tools"]
anthropic = litellm.anthropic_messages(messages=[messages[1]], max_tokens=10, **claude)
texts.append(asyncio.run(anthropic)["content"][0]["text"])
print(json.dumps(texts))
"""


@pytest.mark.slow
@needs_litellm
def test_litellm_keeps_the_rules(upstream: Upstream) -> None:
    upstream.answer(Thinking("I must look"), ScriptedCall("look"), ScriptedCall("look"))
    said = run_with_litellm(PROGRAM, upstream.url, upstream.openai_url)
    assert json.loads(said) == ["Understood."] * 4
    assert [str(each.refusal) for each in upstream.refused] == []
    assert [each.wire for each in upstream.calls] == [
        "messages",
        "messages",
        "chat_completions",
        "responses",
        "messages",
    ]
