"""Images in conversations that pass: folded, billed, and stored once."""

import base64
import json
from itertools import pairwise
from typing import Any

import httpx
import pytest
from PIL import Image
from support.images import encoded, picture
from support.service import serve

from foxing.integrations.client import ServiceOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import ImagePart, Memory
from tests.upstream import Upstream

from .conftest import BANK, StartProxy
from .sessions import PlayedSession, messages_of

WIRES = ["anthropic", "openai", "openai-responses"]
SESSION = {"x-foxing-session": "s"}
SCREENSHOTS = [encoded("PNG", picture(240 + n, 160, seed=n)) for n in range(9)]


def stored_images(memory: Memory, bank: str = BANK) -> list[bytes]:
    messages = memory.export(bank)
    parts = [part for message in messages for part in message.parts or [] if isinstance(part, ImagePart)]
    return [base64.b64decode(part.data) for part in parts if part.data is not None]


@pytest.mark.slow
@pytest.mark.parametrize("wire", WIRES)
def test_a_session_with_screenshots_is_folded_and_remembered_once(
    start: StartProxy, upstream: Upstream, memory: Memory, wire: str
) -> None:
    proxy = start(budget=10_000)
    session = PlayedSession(wire, upstream, screenshots=SCREENSHOTS)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 38, **SESSION)
    assert not upstream.refused
    assert session.folds[-1]
    bodies = list(session.sent())
    text = json.dumps(bodies[-1], ensure_ascii=False)
    assert "base64" not in text
    assert all(f"■ image 1, {240 + n}x160 px" in text for n in range(9))
    sent = [messages_of(body) for body in bodies]
    assert sum(after[: len(before)] == before for before, after in pairwise(sent)) >= 33
    assert int(session.answers[-1].headers["x-foxing-saved-tokens"]) > 2_000
    proxy.close()
    assert sorted(stored_images(memory)) == sorted(SCREENSHOTS)
    ids = [message.message_id for message in memory.export(BANK)]
    assert len(ids) == len(set(ids))


@pytest.mark.slow
@pytest.mark.parametrize("wire", WIRES)
def test_the_latest_screenshots_are_shown_smaller(start: StartProxy, upstream: Upstream, wire: str) -> None:
    proxy = start(budget=17_000, reader="claude-fable-5")
    screens = [encoded("PNG", Image.new("RGB", (1_280, 800), (20 * n, 90, 160))) for n in range(9)]
    session = PlayedSession(wire, upstream, screenshots=screens)
    with httpx.Client(timeout=60) as http:
        session.play(http, proxy.url, 48, **SESSION)
    assert not upstream.refused
    assert not proxy.proxy.status()["calls"].get("retries")
    assert session.folds[-1]
    sent = [messages_of(body) for body in session.sent()]
    assert " image 1:" in json.dumps(sent[-1])
    assert sum(after[: len(before)] == before for before, after in pairwise(sent)) >= 40


@pytest.mark.slow
def test_a_proxy_that_starts_again_sends_the_same_labels(start: StartProxy, upstream: Upstream) -> None:
    session = PlayedSession("anthropic", upstream, screenshots=SCREENSHOTS)
    first, second = start(), start()
    with httpx.Client(timeout=60) as http:
        session.play(http, first.url, 34, **SESSION)
        body = session.agent.body(session.agent.given())
        for proxy in (first, second):
            headers = {**session.agent.headers, **SESSION}
            assert http.post(f"{proxy.url}/v1/messages", json=body, headers=headers).status_code == 200
    assert upstream.calls[-1].body == upstream.calls[-2].body
    assert b"base64" not in upstream.calls[-1].body


def test_a_turn_with_an_image_that_cannot_be_kept_is_stored_without_it(
    proxy: BackgroundProxy, upstream: Upstream, memory: Memory
) -> None:
    damaged = SCREENSHOTS[1][:-200]
    content: Any = [{"type": "text", "text": "Which of the two?"}]
    for file in (SCREENSHOTS[0], damaged):
        url = f"data:image/png;base64,{base64.b64encode(file).decode()}"
        content.append({"type": "image_url", "image_url": {"url": url}})
    body = {"model": "gpt-5.6", "messages": [{"role": "user", "content": content}]}
    httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-secret"})
    proxy.close()
    [said, *_] = memory.export(BANK)
    assert said.text.startswith("Which of the two?\n■ image 1, 240x160 px\n◇\n[image, not remembered: the image is ")
    assert stored_images(memory) == [SCREENSHOTS[0]]


@pytest.mark.slow
def test_more_images_than_a_service_takes_in_a_body(start: StartProxy, upstream: Upstream, memory: Memory) -> None:
    largest = encoded("PNG", picture(500, 300))
    limit = 300_000
    assert len(base64.b64encode(largest)) > limit > max(map(len, SCREENSHOTS)) * 4 / 3
    session = PlayedSession("openai-responses", upstream, screenshots=[*SCREENSHOTS[:4], largest])
    with serve(memory, max_body_bytes=limit) as client, httpx.Client(timeout=60) as http:
        proxy = start(ServiceOptions(str(client.base_url)))
        session.play(http, proxy.url, 28, **SESSION)
        proxy.close()
    assert session.folds[-1]
    assert not any("x-foxing-unfolded" in answer.headers for answer in session.answers)
    stored = stored_images(memory)
    assert stored in (SCREENSHOTS[:4], [*SCREENSHOTS[:4], largest])  # what came first: the turn, or the fold
    sent = json.dumps(upstream.calls[-1].value, ensure_ascii=False)
    assert "■ image 1, 240x160 px" in sent
    assert ("■ image 1, 500x300 px" in sent) == (largest in stored)
    texts = [message.text for message in memory.export(BANK)]
    for call in range(27):
        assert sum(f"output-{call}.log" in text for text in texts) == (call % 4 < 3)
