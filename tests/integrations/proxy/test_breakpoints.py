"""Breakpoints of the cache that the proxy adds, for models whose cache holds no other beginnings of a request."""

import json

import httpx
import pytest

from tests.upstream import RequestLimits, Upstream

from .conftest import StartProxy
from .sessions import Json, PlayedSession

HEADERS = {"x-foxing-session": "s"}


def marked(body: Json) -> list[int]:
    """Places of the messages that have a breakpoint."""
    messages = body.get("messages") or body["input"]
    return [place for place, message in enumerate(messages) if "prompt_cache_breakpoint" in json.dumps(message)]


def with_instructions(session: PlayedSession) -> PlayedSession:
    """The session with a message of the developer before the first of the user, as Codex has."""
    if session.agent.wire == "openai-responses":
        said = {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief. " * 500}]}
        session.agent.messages.insert(0, said)
    else:
        session.agent.messages[0]["content"] += "Be brief. " * 500
    return session


@pytest.mark.parametrize("wire", ["openai", "openai-responses"])
def test_a_fold_is_read_from_the_breakpoint_before_it(start: StartProxy, upstream: Upstream, wire: str) -> None:
    proxy = start()
    session = with_instructions(PlayedSession(wire, upstream))
    with httpx.Client(timeout=60) as http:
        while not any(session.folds):
            session.play(http, proxy.url, 1, **HEADERS)
        session.play(http, proxy.url, 2, **HEADERS)
    places = [marked(body) for body in session.sent()]
    folded = session.folds.index(True)
    assert all(each == [0] for each in places[:folded])
    assert all(each[0] == 0 and len(each) == 2 for each in places[folded:]), "the folded part ends with one as well"
    bill = upstream.calls[folded].bill
    assert bill is not None
    assert bill.read > 1_000
    assert all(call.refusal is None for call in upstream.calls)


def test_a_client_with_breakpoints_of_its_own_is_left_alone(start: StartProxy, upstream: Upstream) -> None:
    proxy = start(budget=200_000)
    session = with_instructions(PlayedSession("openai-responses", upstream))
    session.agent.messages[1]["content"][-1]["prompt_cache_breakpoint"] = {"mode": "explicit"}
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 7, **HEADERS)
    assert all(marked(body) == [1] for body in session.sent())
    assert upstream.calls[-1].body == session.answers[-1].request.content


def test_a_provider_that_refuses_breakpoints_gets_what_came(start: StartProxy) -> None:
    with Upstream(limits=RequestLimits(breakpoints=False)) as upstream:
        proxy = start(upstream=upstream.url, budget=200_000)
        session = with_instructions(PlayedSession("openai", upstream))
        with httpx.Client(timeout=60) as http:
            session.play(http, proxy.url, 9, **HEADERS)
    assert len(upstream.refused) == 1
    assert [call.body for call in upstream.calls if call.status == 200][-1] == session.answers[-1].request.content
