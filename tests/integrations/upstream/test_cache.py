"""Bills of both providers by the state of their prompt caches."""

from collections.abc import Callable

import pytest

from tests.upstream import Bill, Upstream

from .conftest import MODEL, Json, Post, assistant, text, user

Ask = Callable[..., Json]
LONG = "The quick brown fox jumps over the lazy dog. " * 100  # 1,125 tokens
MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def last(upstream: Upstream) -> Bill:
    bill = upstream.exchanges[-1].bill
    assert bill is not None
    return bill


def test_a_prefix_is_written_once_and_then_read(ask: Ask, upstream: Upstream) -> None:
    first = ask(user([text(LONG, **MARK)]))
    written = last(upstream)
    assert written.written == 1129
    assert written.price == pytest.approx(1129 * 1.25)
    assert first["usage"]["cache_creation"] == {"ephemeral_5m_input_tokens": 1129, "ephemeral_1h_input_tokens": 0}
    ask(user([text(LONG), text("and now?", **MARK)]))
    assert last(upstream).read == 1129
    assert last(upstream).written == 6
    assert last(upstream).price == pytest.approx(112.9 + 7.5)


def test_an_entry_lives_five_minutes_after_its_last_use(ask: Ask, upstream: Upstream) -> None:
    ask(user([text(LONG, **MARK)]))
    for _ in range(3):
        upstream.clock.advance(299)
        ask(user([text(LONG, **MARK)]))
        assert last(upstream).read == 1129
    upstream.clock.advance(301)
    ask(user([text(LONG, **MARK)]))
    assert last(upstream).read == 0


def test_an_hour_costs_twice(ask: Ask, upstream: Upstream) -> None:
    ask(user([text(LONG, **HOUR), text(LONG, **MARK)]))
    assert (last(upstream).written_long, last(upstream).written) == (1129, 1129)
    assert last(upstream).price == pytest.approx(1129 * 3.25)
    upstream.clock.advance(3599)
    ask(user([text(LONG, **HOUR), text(LONG, **MARK)]))
    assert (last(upstream).read, last(upstream).written) == (1129, 1129)


def test_only_the_exact_prefix_is_read(ask: Ask, upstream: Upstream) -> None:
    ask(user([text(LONG, **MARK)]), system="be brief")
    ask(user([text(LONG, **MARK)]), system="be brief!")
    assert last(upstream).read == 0
    ask(user([text(LONG, **MARK)]), system="be brief", model="claude-opus-5")
    assert last(upstream).read == 0
    ask(user([text(LONG, **MARK)]), system="be brief", tool_choice={"type": "none"})
    assert last(upstream).read == 0
    ask(user([text(LONG, **MARK)]), system="be brief")
    assert last(upstream).read == 1129 + 6


def test_a_short_prefix_is_not_cached(ask: Ask, upstream: Upstream) -> None:
    for _ in range(2):
        ask(user([text(LONG, **MARK)]), model="claude-opus-4-7")  # from 2,048 tokens on
        assert (last(upstream).fresh, last(upstream).written, last(upstream).read) == (1129, 0, 0)


def test_a_mark_looks_back_twenty_blocks(ask: Ask, upstream: Upstream) -> None:
    ask(user([text(LONG, **MARK)]))
    ask(user([text(LONG), *(text(str(n)) for n in range(18)), text("end", **MARK)]))
    assert last(upstream).read == 1129
    ask(user([text(LONG), *(text(f"other {n}") for n in range(19)), text("end", **MARK)]))
    assert last(upstream).read == 0


def test_a_conversation_with_the_automatic_mark_reads_what_it_wrote(ask: Ask, upstream: Upstream) -> None:
    messages = [user(LONG)]
    for number in range(3):
        answer = ask(*messages, cache_control={"type": "ephemeral"})
        assert (last(upstream).read > 0) is (number > 0)
        assert last(upstream).fresh == 0
        messages += [assistant(answer["content"]), user(f"question {number}")]
    assert upstream.total.input == sum(each.bill.input for each in upstream.exchanges if each.bill)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_openai_caches_by_itself(post: Post, upstream: Upstream, path: str) -> None:
    def call(*messages: Json, **members: object) -> Bill:
        name = "input" if path == "/v1/responses" else "messages"
        answer = post(path, {"model": "gpt-5.6", name: list(messages), **members})
        assert answer.status_code == 200, answer.text
        return last(upstream)

    assert call(user(LONG)).written > 1125
    further = [user(LONG), assistant("Fine."), user("and?")]
    assert call(*further).read > 1125
    assert call(user(f"{LONG}!"), *further[1:]).read == 0
    assert call(*further, prompt_cache_key="other").read == 0
    assert call(*further).fresh == 0
    upstream.clock.advance(1801)
    assert call(*further).read == 0
    assert call(user("short")).written == 0
    explicit = call(user(LONG * 2), prompt_cache_options={"mode": "explicit"})
    assert (explicit.written, explicit.read) == (0, 0)


def test_openai_reports_the_cache_in_its_usage(post: Post) -> None:
    body = {"model": "gpt-5.6", "messages": [user(LONG)]}
    first, second = (post("/v1/chat/completions", body).json()["usage"] for _ in range(2))
    assert first["prompt_tokens_details"]["cache_write_tokens"] == first["prompt_tokens"]
    assert second["prompt_tokens_details"]["cached_tokens"] == second["prompt_tokens"]


def test_a_call_without_output_writes_the_cache(ask: Ask, upstream: Upstream) -> None:
    answer = ask(user([text(LONG, **MARK)]), max_tokens=0)
    assert answer["content"] == []
    assert last(upstream).written == 1129
    assert ask(user([text(LONG, **MARK)]), model=MODEL)["usage"]["cache_read_input_tokens"] == 1129
