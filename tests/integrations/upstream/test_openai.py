"""Rules of OpenAI's APIs."""

import httpx
import pytest

from tests.upstream import RequestLimits, ScriptedCall, Thinking, Upstream

from .conftest import HEADERS, Json, Post, assistant, error_of, user
from .test_messages import png

CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
ANSWERING = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
IMAGE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png(64, 64)}"}}


def chat(post: Post, *messages: Json, **members: object) -> Json:
    answer: Json = post("/v1/chat/completions", {"model": "gpt-5.6", "messages": list(messages), **members}).json()
    return answer


def respond(post: Post, given: object, **members: object) -> Json:
    answer: Json = post("/v1/responses", {"model": "gpt-5.6", "input": given, **members}).json()
    return answer


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "Invalid 'messages': empty array"),
        ([{"role": "friend", "content": "x"}], "Supported values are: 'assistant', 'developer', 'function'"),
        ([{"role": "user"}], "Missing required parameter: 'messages[0].content'."),
        ([user(5)], "Invalid type for 'messages[0].content'"),
        ([user("a"), ANSWERING], "must be a response to a preceeding message with 'tool_calls'"),
        ([user("a"), CALLING, user("b")], "did not have response messages: call_1"),
        ([user("a"), CALLING], "did not have response messages: call_1"),
        ([user("a"), CALLING, user("b"), ANSWERING], "did not have response messages: call_1"),
        ([user("a"), CALLING, ANSWERING, ANSWERING], "must be a response to a preceeding"),
        ([user("a"), CALLING, {**ANSWERING, "content": [IMAGE]}], "messages[2].content"),
        ([user("a"), {"role": "assistant", "content": None}], "expected a string, got null"),
        ([user([{**IMAGE, "image_url": {"url": "data:image/png;base64,AAAA"}}])], "does not represent a valid image"),
        ([user([{**IMAGE, "image_url": {"url": "file:///x"}}])], "Expected a valid URL"),
    ],
)
def test_chat_messages_that_the_api_refuses(post: Post, upstream: Upstream, messages: list[Json], said: str) -> None:
    answer = chat(post, *messages)
    assert said in error_of(answer)
    assert answer["error"]["type"] == "invalid_request_error"
    assert upstream.exchanges[0].status == 400


def test_chat_arguments_that_the_api_refuses(post: Post) -> None:
    assert error_of(chat(post, user("a"), top_k=5)) == "Unrecognized request argument supplied: top_k"
    refused = chat(post, user("a"), stream_options={"include_usage": True})
    assert "only allowed when 'stream' is enabled" in error_of(refused)
    assert chat(post, user("a"), CALLING, ANSWERING, user([IMAGE]))["object"] == "chat.completion"


def test_an_answer_of_chat_has_the_shape_of_the_api(post: Post, upstream: Upstream) -> None:
    upstream.answer(Thinking("hm"), "Hello.", ScriptedCall("look", {"at": 1}), ScriptedCall("look"))
    answer = chat(post, user("hello"))
    message = answer["choices"][0]["message"]
    assert message["content"] == "Hello."
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ['{"at":1}', "{}"]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


def test_a_request_without_a_key_is_refused(upstream: Upstream) -> None:
    answer = httpx.post(f"{upstream.openai_url}/responses", json={"model": "gpt-5.6", "input": "a"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "One of 'input' or"),
        ([{"role": "user", "content": "a", "thoughts": 1}], "Unknown parameter: 'input[0].thoughts'."),
        (
            [{"type": "function_call_output", "call_id": "call_1", "output": "x"}],
            "No tool call found for function call output with call_id call_1.",
        ),
        (
            [{"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}],
            "No tool output found for function call call_1.",
        ),
        (
            [user("a"), {"type": "reasoning", "id": "rs_1", "summary": []}],
            "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
        ),
        (
            [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "AAAA"}, assistant("a")],
            "could not be verified",
        ),
        ([{"type": "item_reference", "id": "msg_1"}], "Item with id 'msg_1' not found."),
        ([user([{"type": "input_image", "detail": "high", "image_url": "data:image/png;base64,AA"}])], "valid image"),
    ],
)
def test_items_that_the_api_refuses(post: Post, given: object, said: str) -> None:
    assert said in error_of(respond(post, given))


def test_members_of_a_response_that_the_api_refuses(post: Post) -> None:
    assert error_of(respond(post, "a", messages=[])) == "Unknown parameter: 'messages'."
    assert "Previous response with id 'resp_1' not found." in error_of(
        respond(post, "a", previous_response_id="resp_1")
    )
    assert "Conversation with id 'conv_1' not found." in error_of(respond(post, "a", conversation="conv_1"))
    both = respond(post, "a", conversation="conv_1", previous_response_id="resp_1")
    assert "Mutually exclusive parameters" in error_of(both)


def test_reasoning_goes_with_the_item_that_followed_it(post: Post, upstream: Upstream) -> None:
    upstream.answer(Thinking("hm"), ScriptedCall("look"))
    output = respond(post, "a", include=["reasoning.encrypted_content"], store=False)["output"]
    reasoning, call = output
    done = {"type": "function_call_output", "call_id": call["call_id"], "output": "done"}
    assert respond(post, [user("a"), reasoning, call, done])["object"] == "response"
    said = error_of(respond(post, [user("a"), call, done]))
    assert said == (
        f"Item '{call['id']}' of type 'function_call' was provided without its required 'reasoning' item: "
        f"'{reasoning['id']}'."
    )
    other = {"type": "message", "id": "msg_x", "role": "assistant", "status": "completed", "content": []}
    assert "required following item" in error_of(respond(post, [user("a"), reasoning, other, call, done]))
    bare = {name: value for name, value in reasoning.items() if name != "encrypted_content"}
    assert "not persisted when `store` is set to false" in error_of(respond(post, [user("a"), bare, call, done]))
    without = {name: value for name, value in call.items() if name != "id"}
    assert respond(post, [user("a"), without, done])["object"] == "response"


def test_the_service_holds_responses_and_conversations(post: Post, upstream: Upstream) -> None:
    upstream.answer(ScriptedCall("look"))
    first = respond(post, "a" * 400, instructions="be brief")
    done = {"type": "function_call_output", "call_id": first["output"][0]["call_id"], "output": "done"}
    second = respond(post, [done], previous_response_id=first["id"])
    assert second["usage"]["input_tokens"] > 100
    assert "No tool output found" in error_of(respond(post, "b", previous_response_id=first["id"]))
    unstored = respond(post, "a", store=False)
    assert "not found" in error_of(respond(post, "b", previous_response_id=unstored["id"]))
    conversation = post("/v1/conversations", {}).json()["id"]
    assert respond(post, "a" * 400, conversation=conversation)["conversation"] == {"id": conversation}
    assert respond(post, "b", conversation={"id": conversation})["usage"]["input_tokens"] > 100


def test_tokens_are_counted_as_they_are_billed(post: Post, upstream: Upstream) -> None:
    counted = post("/v1/responses/input_tokens", {"model": "gpt-5.6", "input": "hello there"}).json()
    billed = respond(post, "hello there")["usage"]["input_tokens"]
    assert counted == {"object": "response.input_tokens", "input_tokens": billed}
    assert upstream.exchanges[0].bill is None


def test_large_bodies_and_many_images_are_refused() -> None:
    with Upstream(limits=RequestLimits(openai_body_bytes=3000, openai_images=1)) as upstream:
        url = f"{upstream.openai_url}/chat/completions"
        body = {"model": "gpt-5.6", "messages": [user([IMAGE, IMAGE])]}
        assert "Too many images" in error_of(httpx.post(url, json=body, headers=HEADERS).json())
        body["messages"] = [user("x" * 3000)]
        assert httpx.post(url, json=body, headers=HEADERS).status_code == 413
        broken = httpx.post(url, content=b"{", headers=HEADERS)
        assert "could not parse the JSON body" in error_of(broken.json())
