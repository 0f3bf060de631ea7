"""Conversations that are folded on their way."""

import gzip
import json
import socket
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

from foxing.integrations.client import ServiceOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import FoldRequest, FoldResult, Memory
from tests.support.waiting import wait_until
from tests.upstream import Thinking, Upstream

from . import sessions
from .conftest import BANK, MODEL, StartProxy
from .sessions import PlayedSession, messages_of

WIRES = ["anthropic", "openai", "openai-responses"]
SESSION = {"x-foxing-session": "s"}


def counts(proxy: BackgroundProxy) -> Counter[str]:
    status = proxy.proxy.status()
    return Counter({**status["calls"], **status["folds"]})


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("stream", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_session_is_folded_and_keeps_its_prefix(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory, wire: str, stream: bool
) -> None:
    session = PlayedSession(wire, upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 30, stream=stream, **SESSION)
    assert not upstream.refused
    assert not counts(proxy)["retries"]
    assert session.folds[-1]
    bodies = list(session.sent())
    assert len(json.dumps(bodies[-1])) < len(json.dumps(session.agent.body(session.agent.given()))) - 10_000
    sent = [messages_of(body) for body in bodies]
    assert sum(after[: len(before)] == before for before, after in pairwise(sent)) >= 26
    assert int(session.answers[-1].headers["x-foxing-saved-tokens"]) > 2_000


def test_what_no_fold_changes_keeps_its_bytes(proxy: BackgroundProxy, upstream: Upstream) -> None:
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 25, **SESSION)
        body = session.agent.body(session.agent.given())
        odd = {"type": "text", "text": "caf\u00e9 \ud83e\udd8a", "x_unknown": [1.0, None]}
        body["messages"][-1]["content"].append(odd)
        text = json.dumps(body).replace("[1.0, null]", "[ 1.0e0,null ]")
        http.post(f"{proxy.url}/v1/messages", content=text, headers={**session.agent.headers, **SESSION})
    assert upstream.calls[-1].body == text.encode()  # sent again as it came, since the upstream refuses the odd block
    sent = upstream.calls[-2].body
    assert b"[ 1.0e0,null ]" in sent
    assert b"caf\\u00e9 \\ud83e\\udd8a" in sent
    assert text.partition('"messages"')[0].encode() == sent.partition(b'"messages"')[0]
    assert len(sent) < len(text)


@pytest.mark.slow
def test_a_proxy_that_starts_again_sends_the_same_bytes(start: StartProxy, upstream: Upstream, memory: Memory) -> None:
    session = PlayedSession("anthropic", upstream)
    first, second = start(), start()
    with httpx.Client(timeout=60) as http:
        session.play(http, first.url, 26, **SESSION)
        assert session.folds[-1]
        body = session.agent.body(session.agent.given())
        headers = {**session.agent.headers, **SESSION}
        for proxy in (first, second):
            assert http.post(f"{proxy.url}/v1/messages", json=body, headers=headers).status_code == 200
        assert upstream.calls[-1].body == upstream.calls[-2].body
        session.play(http, second.url, 8, **SESSION)
    assert not upstream.refused


@pytest.mark.slow
def test_two_proxies_share_a_session(start: StartProxy, upstream: Upstream) -> None:
    session = PlayedSession("anthropic", upstream)
    proxies = [start(), start()]
    with httpx.Client(timeout=60) as http:
        for call in range(34):
            session.play(http, proxies[call % 2].url, 1, **SESSION)
    assert not upstream.refused
    sent = [messages_of(body) for body in session.sent()]
    assert sum(after[: len(before)] == before for before, after in pairwise(sent)) >= 30


@pytest.mark.slow
def test_sub_agents_of_a_session_stay_apart(proxy: BackgroundProxy, upstream: Upstream, memory: Memory) -> None:
    main = PlayedSession("anthropic", upstream)
    sub = PlayedSession("anthropic", upstream, task="You are a sub-agent: only read the files of Kestrel.")
    with httpx.Client(timeout=60) as http:
        for _ in range(13):
            main.play(http, proxy.url, 2, **SESSION)
            sub.play(http, proxy.url, 2, **SESSION)
    assert not upstream.refused
    assert main.folds[-1]
    assert sub.folds[-1]
    sent = list(main.sent())
    assert "Kestrel" not in json.dumps(sent[-4])
    assert "Kestrel" in json.dumps(sent[-1])


@pytest.mark.slow
def test_the_client_edits_what_is_folded(proxy: BackgroundProxy, upstream: Upstream, memory: Memory) -> None:
    session = PlayedSession("openai", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26)
        session.agent.messages[1]["content"] = "Please fix the build of Titan."
        session.agent.messages[3]["content"] = "This result was replaced by the client."
        session.play(http, proxy.url, 2)
        assert session.folds[-1]
    assert not upstream.refused
    assert counts(proxy)["edited"] == 1
    assert "replaced by the client" in json.dumps(list(session.sent())[-1])


@pytest.mark.slow
def test_count_tokens_answers_for_the_folded_body(proxy: BackgroundProxy, upstream: Upstream) -> None:
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **SESSION)
        body = session.agent.body(session.agent.given())
        headers = {**session.agent.headers, **SESSION}
        answer = http.post(f"{proxy.url}/v1/messages/count_tokens", headers=headers, json=without_limit(body))
        assert answer.headers["x-foxing-folded"] == "yes"
        session.play(http, proxy.url, 1, **SESSION)
        bill = upstream.calls[-1].bill
        assert bill is not None
        assert answer.json() == {"input_tokens": bill.input}


def without_limit(body: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in body.items() if key != "max_tokens"}


def test_a_header_switches_folding_off(proxy: BackgroundProxy, upstream: Upstream, memory: Memory) -> None:
    session = PlayedSession("openai", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **{"x-foxing": "off"})
    assert "x-foxing-folded" not in session.answers[-1].headers
    assert len(upstream.calls[-1].body) > 34_000
    assert not memory.banks().banks


def test_a_dry_run_only_measures(start: StartProxy, upstream: Upstream, memory: Memory) -> None:
    proxy = start(dry_run=True)
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **SESSION)
    assert session.answers[-1].headers["x-foxing-folded"] == "dry-run"
    assert int(session.answers[-1].headers["x-foxing-saved-tokens"]) > 1_000
    assert len(upstream.calls[-1].body) > 34_000
    assert not memory.banks().banks
    assert not upstream.refused


def test_a_bank_that_is_down_leaves_requests_as_they_are(start: StartProxy, upstream: Upstream) -> None:
    proxy = start(ServiceOptions("http://127.0.0.1:9", retry_for_s=0.001), remember=False)
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **SESSION)
    assert not upstream.refused
    assert not any(session.folds)
    assert any("x-foxing-unfolded" in answer.headers for answer in session.answers)
    assert counts(proxy)["unfolded"]


@pytest.mark.slow
def test_a_bank_that_goes_down_leaves_the_fold_in_place(start: StartProxy, upstream: Upstream, tmp_path: Path) -> None:
    memories = [Memory(tmp_path / "other.db")]
    proxy = start(memories[0])
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **SESSION)
        assert session.folds[-1]
        memories[0].close()
        session.play(http, proxy.url, 12, **SESSION)
    assert all(session.folds[-12:])
    assert not upstream.refused


@pytest.mark.slow
def test_thinking_that_is_refused_is_left_out_once_and_for_all(
    start: StartProxy, upstream: Upstream, tmp_path: Path
) -> None:
    session = PlayedSession("anthropic", upstream)
    first = start()
    with httpx.Client(timeout=60) as http, Memory(tmp_path / "empty.db") as empty:
        session.play(http, first.url, 29, **SESSION)
        assert session.folds[-1]
        second = start(empty)  # it knows nothing of the fold
        session.play(http, second.url, 6, **SESSION)
    assert len(upstream.refused) == 1
    assert counts(second)["retries"] == 1


@pytest.mark.slow
def test_compressed_requests_are_folded_as_well(proxy: BackgroundProxy, upstream: Upstream) -> None:
    session = PlayedSession("openai", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26)
        packed = gzip.compress(json.dumps(session.agent.body(session.agent.given())).encode())
        headers = {**session.agent.headers, "content-encoding": "gzip", "content-type": "application/json"}
        answer = http.post(f"{proxy.url}/v1/chat/completions", content=packed, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["x-foxing-folded"] == "yes"
    assert upstream.calls[-1].headers["content-encoding"] == "gzip"


def test_the_sdks_see_nothing_of_it(claude: Anthropic, gpt: OpenAI, upstream: Upstream) -> None:
    upstream.answer(Thinking("Hm."), "It is raining.")
    with claude.messages.stream(
        model=MODEL, max_tokens=99, messages=[{"role": "user", "content": "Weather?"}]
    ) as stream:
        assert stream.get_final_text() == "It is raining."
    upstream.answer("It is snowing.")
    response = gpt.responses.create(model="gpt-5.6", input="Weather?")
    assert response.output_text == "It is snowing."
    completion = gpt.chat.completions.create(model="gpt-5.6", messages=[{"role": "user", "content": "?"}])
    assert completion.choices[0].message.content == "Understood."


@pytest.mark.slow
def test_a_service_that_does_not_answer_delays_nothing(start: StartProxy, upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        service = ServiceOptions(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1, retry_for_s=0.001)
        proxy = start(service, remember=False, probe_s=0.005, pause_s=0.0)
        session = PlayedSession("anthropic", upstream)
        with httpx.Client(timeout=60) as http:
            session.play(http, proxy.url, 40, **SESSION)
    assert not upstream.refused
    assert not any(session.folds)
    reasons = {answer.headers.get("x-foxing-unfolded") for answer in session.answers}
    assert "the service does not answer" in reasons


class SlowMemory:
    """A memory whose folds, or the first of them, wait for an event."""

    def __init__(self, memory: Memory, may: threading.Event, *, only_first: bool = False) -> None:
        self._memory, self._may = memory, may
        self._only_first = only_first
        #: number of folds asked for
        self.folds = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)

    def fold(self, bank: str, request: FoldRequest) -> FoldResult:
        if request.session != "first":
            self.folds += 1
            if self.folds == 1 or not self._only_first:
                self._may.wait(60)
        return self._memory.fold(bank, request)


@pytest.mark.slow
def test_a_fold_that_comes_too_late_is_applied_when_the_user_has_spoken(
    start: StartProxy, upstream: Upstream, memory: Memory
) -> None:
    may = threading.Event()
    proxy = start(SlowMemory(memory, may), fold_s=0.01, pause_s=0.0)
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        while "x-foxing-unfolded" not in (session.answers[-1].headers if session.answers else {}):
            session.play(http, proxy.url, 1, **SESSION)
        may.set()
        object.__setattr__(proxy.proxy.options, "fold_s", 60.0)
        session.play(http, proxy.url, 16, **SESSION)
    assert session.folds[-1]
    assert not upstream.refused


@pytest.mark.slow
def test_a_fold_that_is_still_being_made_is_expected_after_another_answer(
    start: StartProxy, upstream: Upstream, memory: Memory
) -> None:
    may = threading.Event()
    slow = SlowMemory(memory, may, only_first=True)
    proxy = start(slow, fold_s=0.01, pause_s=0.0)
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        # On a busy machine a call can be sent on unfolded before the memory is asked.
        while not (slow.folds and "x-foxing-unfolded" in session.answers[-1].headers):
            session.play(http, proxy.url, 1, **SESSION)
        object.__setattr__(proxy.proxy.options, "fold_s", 60.0)
        session.play(http, proxy.url, 2, **SESSION)
        may.set()
        session.play(http, proxy.url, 16, **SESSION)
    assert session.folds[-1]
    assert not upstream.refused


@pytest.mark.slow
def test_a_fold_that_pays_is_made_after_an_answer(
    start: StartProxy, upstream: Upstream, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "WORDS", sessions.WORDS.replace("{}", "{0}") * 8)  # so that a fold pays soon
    may = threading.Event()
    proxy = start(SlowMemory(memory, may), budget=200_000)
    session = PlayedSession("anthropic", upstream)
    session.agent.model = "claude-opus-4-8"
    with httpx.Client(timeout=60) as http:
        while not (proxy.proxy.status()["folds_in_progress"] or len(session.answers) > 100):
            session.play(http, proxy.url, 1, **SESSION)
        session.play(http, proxy.url, 3, **SESSION)
        assert not any(session.folds)
        assert not any("x-foxing-unfolded" in answer.headers for answer in session.answers)
        may.set()
        while not session.folds[-1] and len(session.answers) < 150:
            wait_until(lambda: not proxy.proxy.status()["folds_in_progress"])
            session.play(http, proxy.url, 1, **SESSION)
    assert session.folds[-1]
    assert counts(proxy)["fold pays"] == 1
    assert not upstream.refused


def test_a_model_without_a_profile_gets_text(start: StartProxy, upstream: Upstream) -> None:
    proxy = start(reader=None)
    session = PlayedSession("openai", upstream)
    session.agent.model = "my-own-model"
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26)
    assert session.folds[-1]
    assert "image_url" not in json.dumps(list(session.sent())[-1])


def test_a_session_is_known_by_what_clients_send(proxy: BackgroundProxy, upstream: Upstream, memory: Memory) -> None:
    plain = {"model": "gpt-5.6", "messages": [{"role": "user", "content": "Weather?"}]}
    claude = {"model": MODEL, "max_tokens": 9, "messages": plain["messages"]}
    account = "user_0123_account_1-2_session_00000000-aaaa-4bbb-8ccc-0123456789ab"
    headers = {"authorization": "Bearer sk-secret", "anthropic-version": "2023-06-01"}
    with httpx.Client(timeout=60, headers=headers) as http:
        for path, body, more in (
            ("messages", {**claude, "metadata": {"user_id": account}}, {}),
            ("messages", {**claude, "metadata": {"user_id": json.dumps({"session_id": "from-json"})}}, {}),
            ("messages", claude, {"x-claude-code-session-id": "from-claude"}),
            ("responses", {"model": "gpt-5.6", "input": "Weather?"}, {"session_id": "from-codex"}),
            ("chat/completions", {**plain, "prompt_cache_key": "from-key"}, {}),
            ("chat/completions", plain, {}),
        ):
            assert http.post(f"{proxy.url}/v1/{path}", json=body, headers=more).status_code == 200
    proxy.close()
    threads = {each.thread or "" for each in memory.export(BANK)}
    known = {"00000000-aaaa-4bbb-8ccc-0123456789ab", "from-json", "from-claude", "from-codex", "from-key"}
    (other,) = threads - known
    assert threads >= known
    assert other.startswith("chat-")


def test_the_state_of_conversations_is_shown(
    proxy: BackgroundProxy, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        while not (session.folds and session.folds[-1]):
            session.play(http, proxy.url, 1, **SESSION)
    (state,) = proxy.proxy.status()["conversations"]
    assert (state["session"], state["model"], state["budget"], state["fold"]) == ("s", MODEL, 8_000, 1)
    assert state["sent_tokens"] < state["original_tokens"]
    assert state["not_folded"] is None
    assert caplog.text.count("is folded from here on") == 1


def test_a_loop_whose_thinking_is_bound_is_told_once(
    proxy: BackgroundProxy, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    agent = PlayedSession("anthropic", upstream)
    agent.calls = 1  # a turn of calls without end
    with httpx.Client(timeout=60) as http:
        for _ in range(26):
            agent.play(http, proxy.url, 1, **SESSION)
            agent.calls = 1
    assert not any(agent.folds)
    assert "interrupt the agent with a word" in agent.answers[-1].headers["x-foxing-unfolded"]
    assert caplog.text.count("interrupt the agent with a word") == 1
    (state,) = proxy.proxy.status()["conversations"]
    assert "interrupt the agent with a word" in state["not_folded"]


@pytest.mark.slow
def test_a_loop_is_folded_where_the_thinking_is_free(start: StartProxy, upstream: Upstream) -> None:
    proxy = start(reader="text")
    agent = PlayedSession("anthropic", upstream)
    agent.agent.model = "claude-opus-4-8"
    agent.calls = 1
    with httpx.Client(timeout=60) as http:
        for _ in range(50):
            agent.play(http, proxy.url, 1, **SESSION)
            agent.calls = 1
    assert sum(agent.folds) > 25, "many calls follow the first fold, each with the thinking of the one before"
    assert not upstream.refused


def test_the_budget_follows_from_the_model_and_the_scale_from_its_bills(start: StartProxy) -> None:
    with Upstream(count_text=lambda text: len(text) // 2) as upstream:
        proxy = start(upstream=upstream.url, budget=None)
        session = PlayedSession("openai", upstream)
        with httpx.Client(timeout=60) as http:
            session.play(http, proxy.url, 16, **SESSION)
    status = proxy.proxy.status()
    assert status["conversations"][0]["budget"] == 204_000
    billed = upstream.calls[-1].bill
    assert billed is not None
    assert status["conversations"][0]["sent_tokens"] == pytest.approx(billed.input, rel=0.1)


@pytest.mark.slow
def test_calibration_is_offered_once(
    start: StartProxy, upstream: Upstream, memory: Memory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("first", "second"):  # the second proxy of a user
        session = PlayedSession("openai", upstream)
        with httpx.Client(timeout=60) as http:
            session.play(http, start(reader=None).url, 26, **{"x-foxing-session": name})
        assert session.folds[-1]
    offers = [record.getMessage() for record in caplog.records if "foxing calibrate" in record.getMessage()]
    assert len(offers) == 1
    assert f"foxing calibrate --upstream {upstream.url} --model gpt-5.6" in offers[0]
    assert (tmp_path / "calibration-offers.txt").read_text() == "gpt-5.6\n"
