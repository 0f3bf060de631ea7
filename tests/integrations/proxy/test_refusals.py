"""Folded conversations that the provider refuses."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import httpx
import pytest

from foxing.integrations.proxy.server import BackgroundProxy
from tests.upstream import RequestLimits, Upstream

from .conftest import StartProxy
from .sessions import PlayedSession

SESSION = {"x-foxing-session": "s"}
#: A reader of page images, which the upstream of these tests does not take.
IMAGES = {"reader": "claude-fable-5", "budget": 12_000}


@pytest.fixture
def no_images() -> Iterator[Upstream]:
    with Upstream(limits=RequestLimits(anthropic_images=0, openai_images=0)) as upstream:
        yield upstream


def counts(proxy: BackgroundProxy) -> Counter[str]:
    status = proxy.proxy.status()
    return Counter({**status["calls"], **status["folds"]})


@pytest.mark.slow
@pytest.mark.parametrize("wire", ["anthropic", "openai", "openai-responses"])
@pytest.mark.parametrize("stream", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_refused_fold_is_dropped_and_what_came_is_sent(
    start: StartProxy, no_images: Upstream, wire: str, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = start(upstream=no_images.url, **IMAGES)
    session = PlayedSession(wire, no_images)
    with httpx.Client(timeout=60) as http:
        while not no_images.refused:
            session.play(http, proxy.url, 1, stream=stream, **SESSION)  # asserts that the client gets an answer
        answer = session.answers[-1]
        assert no_images.calls[-1].body == answer.request.content
        assert answer.headers["x-foxing-folded"] == "no"
        assert answer.headers["x-foxing-saved-tokens"] == "0"
        assert "image" in answer.headers["x-foxing-unfolded"]
        found = counts(proxy)
        assert (found["refused"], found["dropped"], found["folded"], found["retries"]) == (1, 1, 0, 0)
        assert "refused a folded conversation" in caplog.text
        session.play(http, proxy.url, 9, stream=stream, **SESSION)
    assert len(no_images.refused) == 1
    assert not any(session.folds)


@pytest.mark.slow
def test_a_refused_fold_stays_dropped_after_a_restart(start: StartProxy, no_images: Upstream) -> None:
    first, second = (start(upstream=no_images.url, **IMAGES) for _ in range(2))
    session = PlayedSession("anthropic", no_images)
    with httpx.Client(timeout=60) as http:
        while not no_images.refused:
            session.play(http, first.url, 1, **SESSION)
        session.play(http, first.url, 1, **SESSION)
        session.play(http, second.url, 6, **SESSION)
    assert len(no_images.refused) == 1
    assert not any(session.folds)


@pytest.mark.slow
def test_folds_that_are_refused_again_become_rarer(start: StartProxy, no_images: Upstream) -> None:
    proxy = start(upstream=no_images.url, **IMAGES)
    session = PlayedSession("anthropic", no_images)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 80, **SESSION)
    calls = [call.number for call in no_images.refused]
    assert 2 <= len(calls) <= 3
    assert all(after - before >= least for (before, after), least in zip(pairwise(calls), (10, 20), strict=False))
    assert counts(proxy)["refused"] == len(calls)


@pytest.mark.slow
def test_thinking_that_is_bound_to_a_dropped_fold_is_left_out(start: StartProxy) -> None:
    with Upstream(limits=RequestLimits(anthropic_images=2)) as upstream:
        proxy = start(upstream=upstream.url, **IMAGES)
        session = PlayedSession("anthropic", upstream)
        with httpx.Client(timeout=60) as http:
            while not counts(proxy)["dropped"]:
                session.play(http, proxy.url, 1, **SESSION)
            session.play(http, proxy.url, 6, **SESSION)
    assert any(session.folds)
    assert not any(session.folds[-7:])
    images, bound = upstream.refused
    assert "too many images" in str(images.refusal)
    assert "bound to a different conversation" in str(bound.refusal)


@pytest.mark.slow
def test_compressed_bodies_are_sent_again_as_they_came(start: StartProxy, no_images: Upstream) -> None:
    proxy = start(upstream=no_images.url, **IMAGES)
    session = PlayedSession("openai", no_images)
    with httpx.Client(timeout=60) as http:
        while not no_images.refused:
            body = session.agent.body(session.agent.given())
            packed = gzip.compress(json.dumps(body).encode(), 9)
            headers = {**session.agent.headers, "content-encoding": "gzip", "content-type": "application/json"}
            http.post(f"{proxy.url}/v1/chat/completions", content=packed, headers={**headers, "x-foxing-session": "z"})
            if no_images.refused:
                assert no_images.calls[-1].body == packed
                break
            session.play(http, proxy.url, 1, **{"x-foxing": "off"})


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 429])
def test_refusals_that_say_nothing_of_the_body_are_passed_on(
    start: StartProxy, upstream: Upstream, status: int
) -> None:
    proxy = start()
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **SESSION)
        assert session.folds[-1]
        upstream.fail(status)
        body = session.agent.body(session.agent.given())
        answer = http.post(f"{proxy.url}/v1/messages", json=body, headers={**session.agent.headers, **SESSION})
        assert answer.status_code == status
        session.play(http, proxy.url, 1, **SESSION)
    assert session.folds[-1]
    assert not counts(proxy)["refused"]


@pytest.mark.slow
def test_what_is_refused_either_way_keeps_its_fold(start: StartProxy, upstream: Upstream) -> None:
    proxy = start()
    session = PlayedSession("anthropic", upstream)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 26, **SESSION)
        assert session.folds[-1]
        body = {**session.agent.body(session.agent.given()), "max_tokens": -1}
        answer = http.post(f"{proxy.url}/v1/messages", json=body, headers={**session.agent.headers, **SESSION})
        assert answer.status_code == 400
        assert "max_tokens" in answer.json()["error"]["message"]
        session.play(http, proxy.url, 1, **SESSION)
    assert session.folds[-1]
    found = counts(proxy)
    assert (found["refused"], found["dropped"]) == (1, 0)
