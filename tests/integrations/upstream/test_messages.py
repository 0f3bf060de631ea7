"""Rules of the Messages API."""

import base64
import json
from collections.abc import Callable
from io import BytesIO

import httpx
import pytest
from PIL import Image

from tests.upstream import RequestLimits, ScriptedCall, Upstream

from .conftest import HEADERS, MODEL, OLDER, Json, Post, assistant, error_of, result, text, user

Ask = Callable[..., Json]
MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
OTHER = {**CALL, "id": "toolu_2"}


def png(width: int, height: int) -> str:
    buffer = BytesIO()
    Image.new("1", (width, height)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def picture(width: int = 10, height: int = 10, **members: object) -> Json:
    source = {"type": "base64", "media_type": "image/png", "data": png(width, height)}
    return {"type": "image", "source": source, **members}


def test_an_answer_has_the_shape_of_the_api(upstream: Upstream, ask: Ask) -> None:
    upstream.answer("Hello.", ScriptedCall("look", {"at": 1}), ScriptedCall("look", {"at": 2}))
    answer = ask(user("hello"), tools=[TOOL])
    assert [block["type"] for block in answer["content"]] == ["text", "tool_use", "tool_use"]
    assert answer["stop_reason"] == "tool_use"
    assert answer["usage"]["input_tokens"] == upstream.exchanges[0].bill.input  # type: ignore[union-attr]


def test_the_exact_bytes_of_a_request_are_recorded(upstream: Upstream) -> None:
    body = b'{"model":"claude-fable-5-1", "max_tokens":5,\n"messages":[{"role":"user","content":"\\u00e9"}]}'
    httpx.post(f"{upstream.url}/v1/messages", content=body, headers=HEADERS)
    (exchange,) = upstream.exchanges
    assert exchange.body == body
    assert exchange.refusal is None
    assert exchange.sent == json.dumps(exchange.answered, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"mesages": []}, "mesages: Extra inputs are not permitted"),
        ({"max_tokens": "5"}, "max_tokens: Input should be a valid integer"),
        ({"user_profile_id": "u"}, "user_profile_id: Extra inputs are not permitted"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type: Input should be 'any', 'auto', 'none' or 'tool'"),
        ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
        ({"system": [{"type": "text"}]}, "system.0.text: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "must be greater than `thinking.budget_tokens`"),
        ({"thinking": {"type": "adaptive", "block_binding": {}}}, "Extra inputs are not permitted"),
        ({"thread": {"type": "create"}}, "thread: Extra inputs are not permitted"),
    ],
)
def test_a_member_that_the_api_refuses(ask: Ask, members: Json, said: str) -> None:
    assert said in error_of(ask(user("hello"), **members))


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "at least one message"),
        ([assistant("hi"), user("hello")], 'first message must use the "user" role'),
        ([{"role": "tool", "content": "x"}], "messages.0.role: Input should be 'assistant', 'system' or 'user'"),
        ([user("hello"), assistant("I am")], "does not support assistant message prefill"),
        ([user("")], "messages.0: all messages must have non-empty content"),
        ([user([text("")])], "text content blocks must be non-empty"),
        ([user([text(" \n")])], "must contain non-whitespace text"),
        ([user([{"type": "txt", "text": "x"}])], "messages.0.content.0.type: Input should be"),
        ([user([text("x", parsed_output=None)])], "messages.0.content.0.text.parsed_output: Extra inputs"),
        ([user([CALL])], "`tool_use` blocks can only be in `assistant` messages"),
        (
            [user("hello"), assistant([CALL]), user("so?")],
            "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1.",
        ),
        ([user("hello"), assistant([CALL, OTHER]), user([result(CALL)])], "immediately after: toolu_2."),
        ([user("hello"), assistant([CALL]), user([text("wait"), result(CALL)])], "immediately after: toolu_1."),
        ([user("hello"), assistant("hi"), user([result(CALL)])], "unexpected `tool_use_id` found"),
        ([user("hello"), assistant([CALL]), user([result(CALL), result(CALL)])], "each tool_use must have a single"),
        (
            [user("a"), assistant([CALL]), user([result(CALL)]), assistant([CALL]), user([result(CALL)])],
            "`tool_use` ids must be unique",
        ),
        ([user([text(str(n), **MARK) for n in range(5)])], "A maximum of 4 blocks with cache_control may be provided"),
        (
            [user([text("a", **MARK), text("b", cache_control={"type": "ephemeral", "ttl": "1h"})])],
            "must not come after",
        ),
    ],
)
def test_messages_that_the_api_refuses(ask: Ask, upstream: Upstream, messages: list[Json], said: str) -> None:
    answer = ask(*messages)
    assert answer["type"] == "error"
    assert answer["error"]["type"] == "invalid_request_error"
    assert said in error_of(answer)
    assert upstream.exchanges[0].status == 400
    assert upstream.exchanges[0].bill is None


def test_consecutive_messages_of_a_role_are_one_turn(ask: Ask) -> None:
    messages = [
        user("a"),
        assistant([CALL]),
        assistant([OTHER]),
        user([result(CALL)]),
        user([result(OTHER)]),
        user("b"),
    ]
    assert ask(*messages)["type"] == "message"


def test_a_message_of_the_system_may_stand_between_others_in_newer_models(ask: Ask) -> None:
    said = {"role": "system", "content": "be brief"}
    assert ask(user("hello"), said, model="claude-opus-4-8")["type"] == "message"
    assert "messages.1.role" in error_of(ask(user("hello"), said, model=OLDER))


SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
BRIEF = {"role": "system", "content": "be brief"}


@pytest.mark.parametrize(
    "messages",
    [
        [user("a"), BRIEF],
        [user("a"), BRIEF, assistant("b"), user("c")],
        [user("a"), assistant([CALL]), user([result(CALL)]), BRIEF, assistant("b"), user("c"), BRIEF],
        [user("a"), user("b"), BRIEF],
        [user("a"), assistant([SEARCH, FOUND]), BRIEF, assistant("b"), user("c")],
    ],
)
def test_where_a_message_of_the_system_may_stand(ask: Ask, messages: list[Json]) -> None:
    assert ask(*messages, model="claude-opus-4-8")["type"] == "message"


@pytest.mark.parametrize(
    ("messages", "number"),
    [
        ([user("a"), BRIEF, BRIEF], 1),
        ([user("a"), BRIEF, user("b")], 1),
        ([user("a"), assistant("b"), BRIEF, assistant("c"), user("d")], 2),
        ([user("a"), assistant("b"), BRIEF], 2),
        ([user("a"), assistant([CALL]), BRIEF, user([result(CALL)])], 2),
        ([user("a"), BRIEF, assistant("b"), BRIEF, user("c")], 3),
    ],
)
def test_where_a_message_of_the_system_may_not_stand(ask: Ask, messages: list[Json], number: int) -> None:
    said = error_of(ask(*messages, model="claude-opus-4-8"))
    assert said.startswith(f"messages.{number}: a `system` message must immediately follow a `user` message")


def test_an_older_model_continues_the_message_of_the_assistant(ask: Ask) -> None:
    messages = [user("hello"), assistant("I am")]
    assert ask(*messages, model="claude-opus-4-5")["type"] == "message"
    messages = [user("hello"), assistant("I am ")]
    assert "trailing whitespace" in error_of(ask(*messages, model="claude-opus-4-5"))


def test_marks_in_tools_system_and_results_count_and_so_does_the_automatic_one(ask: Ask) -> None:
    members = {
        "tools": [{**TOOL, **MARK}],
        "system": [text("be brief", **MARK)],
        "cache_control": {"type": "ephemeral"},
    }
    messages = [user([text("a", **MARK)]), assistant([CALL]), user([result(CALL, **MARK), text("b")])]
    assert "Found 5" in error_of(ask(*messages, **members))
    del members["cache_control"]
    assert ask(*messages, **members)["type"] == "message"


def test_images_are_counted_measured_and_billed(ask: Ask, upstream: Upstream) -> None:
    assert ask(user([picture(280, 280), text("what is this?")]))["usage"]["input_tokens"] > 100
    assert "too many images: 101 > 100" in error_of(ask(user([picture()] * 101)))
    assert "8000 pixels" in error_of(ask(user([picture(8001, 1)])))
    refused = ask(user([picture()] * 20 + [picture(2001, 1)]))
    assert refused["error"]["details"]["max_side_length_pixels"] == 2000
    assert refused["error"]["details"]["paths"] == ["messages.0.content.20"]
    large = picture(3000, 3000, transformations={"oversized_image": "error"})
    assert "largest size that fits" in error_of(ask(user([large])))
    jpeg = picture()
    jpeg["source"]["media_type"] = "image/jpeg"
    assert "does not match the provided media type image/jpeg" in error_of(ask(user([jpeg])))
    broken = picture()
    broken["source"]["data"] = "AAAA"
    assert "Could not process image" in error_of(ask(user([broken])))
    within = [user("a"), assistant([CALL]), user([{**result(CALL), "content": [picture(8001, 1)]}])]
    assert ask(*within)["error"]["details"]["paths"] == ["messages.2.content.0.content.0"]


def test_large_images_and_bodies_are_refused() -> None:
    limits = RequestLimits(anthropic_body_bytes=2000, anthropic_image_bytes=50)
    with Upstream(limits=limits) as upstream:
        body = {"model": MODEL, "max_tokens": 5, "messages": [user([picture(100, 100)])]}
        refused = httpx.post(f"{upstream.url}/v1/messages", json=body, headers=HEADERS)
        assert "image exceeds" in error_of(refused.json())
        body["messages"] = [user("x" * 2000)]
        refused = httpx.post(f"{upstream.url}/v1/messages", json=body, headers=HEADERS)
        assert refused.status_code == 413
        assert refused.json()["error"]["type"] == "request_too_large"


def test_tokens_are_counted_as_they_are_billed(ask: Ask, post: Post, upstream: Upstream) -> None:
    body = {"model": MODEL, "messages": [user("hello there")], "tools": [TOOL], "system": "be brief"}
    counted = post("/v1/messages/count_tokens", body).json()
    billed = ask(*body["messages"], tools=[TOOL], system="be brief")  # type: ignore[misc]
    assert counted == {"input_tokens": billed["usage"]["input_tokens"]}
    assert upstream.exchanges[0].bill is None
    assert len(upstream.calls) == 1
    refused = post("/v1/messages/count_tokens", {**body, "max_tokens": 5}).json()
    assert error_of(refused) == "max_tokens: Extra inputs are not permitted"


def test_requests_without_key_or_version_are_refused(upstream: Upstream) -> None:
    body = {"model": MODEL, "max_tokens": 5, "messages": [user("hello")]}
    no_key = httpx.post(f"{upstream.url}/v1/messages", json=body, headers={"anthropic-version": "2023-06-01"})
    assert no_key.status_code == 401
    assert no_key.json()["error"]["type"] == "authentication_error"
    no_version = httpx.post(f"{upstream.url}/v1/messages", json=body, headers={"x-api-key": "key"})
    assert error_of(no_version.json()) == "anthropic-version: header is required"
    unknown = httpx.get(f"{upstream.url}/v1/unknown", headers=HEADERS)
    assert unknown.json()["error"]["type"] == "not_found_error"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_compressed_bodies_are_read_and_recorded_as_sent(upstream: Upstream, encoding: str) -> None:
    import gzip
    import zlib

    import zstandard

    compress = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.ZstdCompressor().compress}[encoding]
    body = compress(json.dumps({"model": MODEL, "max_tokens": 5, "messages": [user("hello")]}).encode())
    answer = httpx.post(f"{upstream.url}/v1/messages", content=body, headers={**HEADERS, "content-encoding": encoding})
    assert answer.json()["type"] == "message"
    assert upstream.exchanges[0].body == body
    broken = httpx.post(f"{upstream.url}/v1/messages", content=b"x", headers={**HEADERS, "content-encoding": encoding})
    assert broken.json()["error"]["details"]["error_code"] == "request_body_encoding_invalid"


BETA = "message-threads-2026-08-12"


def continued(answer: Json) -> Json:
    return {"thread": {"type": "continue", "previous_message_id": answer["id"]}, "betas": BETA}


def test_a_thread_continues_with_new_messages_only(ask: Ask, upstream: Upstream) -> None:
    upstream.answer("Noted.", ScriptedCall("look"))
    first = ask(user("remember 7" * 50), thread={"type": "create"}, betas=BETA, tools=[TOOL])
    second = ask(user([result(first["content"][1])]), **continued(first), tools=[TOOL])
    assert second["type"] == "message"
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
    again = ask(user("and?"), **continued(first), tools=[TOOL])
    assert again["error"]["details"]["error_code"] == "thread_already_continued"
    other = ask(user("and?"), **continued(second), system="be brief", tools=[TOOL])
    assert other["error"]["details"]["error_code"] == "thread_fingerprint_mismatch"


def test_a_thread_is_lost_after_five_minutes(ask: Ask, upstream: Upstream) -> None:
    first = ask(user("hello"), thread={"type": "create"}, betas=BETA)
    upstream.clock.advance(301)
    lost = ask(user("and?"), **continued(first))
    assert lost["error"]["type"] == "not_found_error"
    assert lost["error"]["details"]["error_code"] == "thread_not_found"
    assert upstream.exchanges[-1].status == 404
