"""Turns that pass are stored once."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic, NotFoundError
from openai import OpenAI

from foxing.integrations.outbox.file import states
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.integrations.turns.journal import TurnJournal
from foxing.memory import Memory
from tests.support.waiting import wait_until
from tests.upstream import ScriptedCall, Thinking, Upstream

from .conftest import BANK, MODEL, StartProxy
from .sessions import PlayedSession

BETA = "message-threads-2026-08-12"


def stored(memory: Memory) -> list[tuple[str, str]]:
    return [(each.role, each.text) for each in memory.export(BANK)]


@pytest.mark.slow
@pytest.mark.parametrize("wire", ["anthropic", "openai", "openai-responses"])
def test_a_session_that_is_folded_is_stored_once(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory, wire: str
) -> None:
    session = PlayedSession(wire, upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, stream=wire == "openai", **{"x-foxing-session": "s"})
    assert session.folds[-1]
    proxy.close()
    found = stored(memory)
    assert {each.thread for each in memory.export(BANK)} == {"s"}
    for call in range(26):
        assert sum(text.startswith(f"Step {call}.") for _, text in found) == 1
    results = [text for role, text in found if role == "tool"]
    assert len(results) == len(set(results)) == sum(call % 4 < 3 for call in range(25))
    assert found[0] == ("user", "Please fix the build of Titan.")


def test_turns_are_stored_although_the_bank_starts_later(
    start: StartProxy, upstream: Upstream, memory: Memory, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    first = start(str(tmp_path / "file" / "bank.db"))
    session = PlayedSession("openai", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, first.url, 3)
        waiting = first.proxy.status()["outbox"]
        assert waiting["entries"] == 9
        assert waiting["oldest"] is not None
        first.close()
        second = start()
        session.play(http, second.url, 1)
    second.close()
    assert Counter(text for _, text in stored(memory))["Please fix the build of Titan."] == 1
    assert len(stored(memory)) == 11  # each call of a tool apart
    assert [(each.entries, each.last_error) for each in states(tmp_path / "proxy.db")] == 2 * [(0, None)]


def test_what_the_provider_holds_is_remembered_from_what_passes(
    start: StartProxy, upstream: Upstream, memory: Memory
) -> None:
    proxy = start()
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-secret", max_retries=0) as client:
        upstream.answer("One.")
        first = client.responses.create(model="gpt-5.6", input="Say one.")
        upstream.answer(ScriptedCall("run", {"command": "two"}))
        second = client.responses.create(model="gpt-5.6", input="Say two.", previous_response_id=first.id)
        result = {"type": "function_call_output", "call_id": second.output[0].call_id, "output": "two"}  # type: ignore[union-attr]
        proxy.close()
    proxy = start()
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-secret", max_retries=0) as client:
        upstream.answer("One.")
        third = client.responses.create(model="gpt-5.6", input=[result], previous_response_id=second.id)  # type: ignore[list-item]
        upstream.fail(500)
        with pytest.raises(Exception, match="fault"):
            client.responses.create(model="gpt-5.6", input="Say one.", previous_response_id=third.id)
        upstream.answer("One.")
        client.responses.create(model="gpt-5.6", input="Say one.", previous_response_id=third.id)
    proxy.close()
    assert not [call for call in upstream.refused if call.status != 500]
    roles = [role for role, _ in stored(memory)]
    assert roles == ["user", "assistant", "user", "assistant", "tool", "assistant", "user", "assistant"]
    assert len({each.thread for each in memory.export(BANK)}) == 1
    assert Counter(stored(memory))["assistant", "One."] == 3
    assert Counter(stored(memory))["user", "Say one."] == 2


def test_conversations_of_the_responses_api(start: StartProxy, upstream: Upstream, memory: Memory) -> None:
    held = ""
    for words in ("one", "two"):
        proxy = start()
        with OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-secret", max_retries=0) as client:
            held = held or client.conversations.create().id
            for _ in range(2):
                upstream.answer("Yes.")
                client.responses.create(model="gpt-5.6", input=f"Say {words}.", conversation=held)
        proxy.close()
    said = stored(memory)
    assert [text for role, text in said if role == "user"] == ["Say one.", "Say one.", "Say two.", "Say two."]
    assert Counter(said)["assistant", "Yes."] == 4
    assert len({each.thread for each in memory.export(BANK)}) == 1


def test_threads_of_the_messages_api_are_remembered_also_when_they_are_replayed(
    proxy: BackgroundProxy, claude: Anthropic, upstream: Upstream, memory: Memory
) -> None:
    messages: list[Any] = [{"role": "user", "content": "Say one."}]

    def call(new: list[Any], thread: Any) -> Any:
        upstream.answer(Thinking("Hm."), f"{len(messages)}.")
        answer = claude.beta.messages.create(
            model=MODEL, max_tokens=99, messages=new, betas=[BETA], extra_body={"thread": thread}
        )
        messages.append({"role": "assistant", "content": answer.model_dump(exclude_none=True)["content"]})
        return answer

    answer = call(messages, {"type": "create"})
    messages.append({"role": "user", "content": "Say two."})
    answer = call(messages[-1:], {"type": "continue", "previous_message_id": answer.id})
    upstream.clock.advance(3_600)
    messages.append({"role": "user", "content": "Say one."})
    with pytest.raises(NotFoundError):
        call(messages[-1:], {"type": "continue", "previous_message_id": answer.id})
    upstream.answer()
    call(messages, {"type": "create"})
    proxy.close()
    said = [each for each in stored(memory) if each[0] == "user"]
    assert said == [("user", "Say one."), ("user", "Say two."), ("user", "Say one.")]
    assert Counter(role for role, _ in stored(memory))["assistant"] >= 2
    assert len({each.thread for each in memory.export(BANK)}) == 1


@pytest.mark.parametrize("session", [{}, {"x-foxing-session": "s"}])
def test_a_history_without_its_beginning_is_recognised(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory, session: dict[str, str]
) -> None:
    history: list[dict[str, str]] = []

    def ask(words: str, start: list[dict[str, str]]) -> None:
        history.append({"role": "user", "content": words})
        upstream.answer(f"Answer to {words}")
        body = {"model": MODEL, "max_tokens": 9, "messages": [*start, *history]}
        headers = {"x-api-key": "k", "anthropic-version": "1", **session}
        said = httpx.post(f"{proxy.url}/v1/messages", json=body, headers=headers).json()["content"][0]["text"]
        history.append({"role": "assistant", "content": said})

    for number in range(4):
        ask(f"question {number}", [])
    del history[:4]
    ask("question 4", [])  # the end of the history
    ask("question 5", [])
    del history[:4]
    summary = [{"role": "user", "content": "So far: four questions."}, {"role": "assistant", "content": "I see."}]
    ask("question 6", summary)
    ask("question 7", summary)
    proxy.close()
    texts = [text for _, text in stored(memory)]
    asked = [text for text in texts if text.startswith("question")]
    assert asked == [f"question {number}" for number in range(8)]
    assert len(texts) == len(set(texts)) == 18
    assert len({each.thread for each in memory.export(BANK)}) == 1


def test_words_that_are_said_again_later_are_another_turn(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory
) -> None:
    """Not the end of an earlier stretch, although it is alike."""
    headers = {"x-api-key": "k", "anthropic-version": "1", "x-foxing-session": "s"}
    history: list[dict[str, str]] = []
    for first in ("hello", "another task"):
        history = [{"role": "user", "content": first}]
        for words in ("ok", "ok", "last"):
            upstream.answer("Done.")
            body = {"model": MODEL, "max_tokens": 9, "messages": history}
            said = httpx.post(f"{proxy.url}/v1/messages", json=body, headers=headers).json()["content"][0]["text"]
            history += [{"role": "assistant", "content": said}, {"role": "user", "content": words}]
    proxy.close()
    assert Counter(text for _, text in stored(memory)) == {"hello": 1, "another task": 1, "ok": 4, "Done.": 6}


def test_a_stream_that_breaks_off_keeps_what_the_user_said(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory
) -> None:
    upstream.answer("It is raining in Oslo.", cut_after_events=4)
    body = {"model": "gpt-5.6", "messages": [{"role": "user", "content": "Weather?"}], "stream": True}
    headers = {"authorization": "Bearer sk-secret"}
    with httpx.Client(timeout=60) as http:
        assert b"broke off" in http.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers).content
        upstream.answer("It is raining in Oslo.")
        http.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers)
    proxy.close()
    assert stored(memory) == [("user", "Weather?"), ("assistant", "It is raining in Oslo.")]


def test_keys_are_neither_stored_nor_logged(
    start: StartProxy, upstream: Upstream, memory: Memory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        proxy = start(upstream=upstream.url)
        body = {"model": "gpt-5.6", "messages": [{"role": "user", "content": "Weather?"}]}
        headers = {"authorization": "Bearer sk-verysecret", "x-api-key": "sk-verysecret"}
        httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers)
        upstream.send_html()
        httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers)
        proxy.close()
    assert "verysecret" not in caplog.text
    assert json.dumps(stored(memory)).count("Weather") == 1
    for file in tmp_path.iterdir():
        assert b"verysecret" not in file.read_bytes()


def test_delivered_turns_are_gone_from_the_journal_and_its_log(
    start: StartProxy, memory: Memory, upstream: Upstream, tmp_path: Path
) -> None:
    proxy = start()
    body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "The code word is heliotrope."}]}
    answer = httpx.post(f"{proxy.url}/v1/messages", json=body, headers={"x-api-key": "k", "anthropic-version": "1"})
    assert answer.status_code == 200
    wait_until(lambda: any(bank.id == BANK for bank in memory.banks().banks))
    wait_until(lambda: any("heliotrope" in each.text for each in memory.export(BANK)))
    files = list(tmp_path.glob("proxy.db*"))
    assert files
    wait_until(lambda: all(b"heliotrope" not in path.read_bytes() for path in files if path.exists()))


def test_a_journal_from_before_is_cleared_of_what_it_delivered(tmp_path: Path) -> None:
    path = tmp_path / "proxy.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as before:
        before.execute("PRAGMA journal_mode = WAL")
        before.execute("PRAGMA secure_delete = OFF")
        before.execute("CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT, message TEXT)")
        before.execute("INSERT INTO outbox (scope, message) VALUES ('s', ?)", ("heliotrope " * 1_000,))
        before.execute("DELETE FROM outbox")
    assert b"heliotrope" in path.read_bytes()
    journal = TurnJournal(path, "s")
    for each in tmp_path.glob("proxy.db*"):
        assert b"heliotrope" not in each.read_bytes(), each.name
    journal.close()
