"""Sealing, ageing, pages and recall over HTTP, with the codec that ships."""

import base64
import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load as load_safetensors

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.encoder import Codec, Reading, VisionTokens, load_codec
from foxing.memory import Memory, Policy

BANK = "/v1/banks/agent-7"
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOW = "2026-01-05T12:00:00Z"
LATER = "2026-02-20T12:00:00Z"

FACTS = (
    "We ship Titan on 14 March, whatever happens.",
    "The staging database moved to the new cluster on Friday.",
    "Please remember that Mina prefers tea over coffee.",
)


@pytest.fixture
def memory(database_path: Path) -> Iterator[Memory]:
    with Memory(database_path) as memory:
        yield memory


def conversation(memory: Memory, messages: int = 24) -> None:
    memory.store(
        "agent-7",
        [
            {
                "id": f"m{number}",
                "role": "user" if number % 2 == 0 else "assistant",
                "content": f"{FACTS[number % 3]} (note {number})",
                "created_at": BEGIN + timedelta(minutes=number),
            }
            for number in range(messages)
        ],
        thread="titan",
    )


@pytest.fixture
def client(memory: Memory) -> Iterator[httpx.Client]:
    """A service that lets callers set the time, over a bank with a conversation."""
    conversation(memory)
    app = create_app(load_settings({"ageing_enabled": False, "time_travel": True}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def ok(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    return response.json()


def problem_type(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["type"]).removeprefix("urn:foxing:problem:")


def sealed(client: httpx.Client) -> str:
    """The id of the one page that holds the conversation."""
    report = ok(client.post(f"{BANK}/seal", json={"now": NOW}))
    assert report["messages"] == 24
    assert report["open_messages"] == 0
    assert len(report["pages"]) == 1
    return str(report["pages"][0])


def test_a_page_lives_and_fades(client: httpx.Client) -> None:
    page_id = sealed(client)
    listed = ok(client.get(f"{BANK}/pages"))
    assert [page["id"] for page in listed["pages"]] == [page_id]
    assert listed["next_cursor"] is None
    page = ok(client.get(f"{BANK}/pages/{page_id}"))
    assert page == listed["pages"][0]
    assert (page["tier"], page["text_kept"], page["pinned"], page["messages"]) == ("base", True, False, 24)
    assert ok(client.get(f"{BANK}/messages/m3"))["source"] == "text"

    preview = ok(client.post(f"{BANK}/age", json={"dry_run": True, "now": LATER}))
    assert [move["to_tier"] for move in preview["moved"]] == ["tiny"]
    assert ok(client.get(f"{BANK}/pages/{page_id}"))["tier"] == "base"

    report = ok(client.post(f"{BANK}/age", json={"now": LATER}))
    assert not report["dry_run"]
    assert [(m["from_tier"], m["to_tier"], m["drops_text"]) for m in report["moved"]] == [("base", "tiny", True)]
    assert report["vision_tokens_after"] == preview["vision_tokens_after"] < report["vision_tokens_before"]
    page = ok(client.get(f"{BANK}/pages/{page_id}"))
    assert (page["tier"], page["text_kept"]) == ("tiny", False)
    assert ok(client.post(f"{BANK}/age", json={"now": LATER}))["moved"] == []

    message = ok(client.get(f"{BANK}/messages/m3"))
    assert (message["source"], message["tier"], message["page_ids"]) == ("decoded", "tiny", [page_id])
    assert 0 < message["confidence"] <= 1
    assert ok(client.get(f"{BANK}/pages?tier=base"))["pages"] == []
    assert len(ok(client.get(f"{BANK}/pages?tier=tiny"))["pages"]) == 1
    bank = ok(client.get(BANK))
    assert bank["tiers"]["tiny"]["pages"] == 1
    assert bank["bytes"]["total"] == sum(size for name, size in bank["bytes"].items() if name != "total")


def test_images_at_every_tier_the_memory_holds(client: httpx.Client) -> None:
    page_id = sealed(client)
    for tier, side in (("base", 1024), ("tiny", 512)):
        response = client.get(f"{BANK}/pages/{page_id}/image", params={"tier": tier})
        assert response.headers["content-type"] == "image/png"
        image = Image.open(io.BytesIO(response.content))
        assert image.width == side
        assert image.height % 64 == 0
    client.post(f"{BANK}/age", json={"now": LATER})
    own = client.get(f"{BANK}/pages/{page_id}/image")
    assert Image.open(io.BytesIO(own.content)).width == 512
    assert problem_type(client.get(f"{BANK}/pages/{page_id}/image?tier=base"), 410) == "forgotten"
    assert problem_type(client.get(f"{BANK}/pages/{page_id}/read?tier=large"), 410) == "forgotten"
    assert problem_type(client.get(f"{BANK}/pages/{page_id}/read?tier=huge"), 422) == "invalid-request"
    assert problem_type(client.get(f"{BANK}/pages/nothing/image"), 404) == "not-found"


def test_a_page_is_read(client: httpx.Client) -> None:
    page_id = sealed(client)
    reading = ok(client.get(f"{BANK}/pages/{page_id}/read"))
    assert reading["page_id"] == page_id
    assert reading["lines"]
    assert {message["message_id"] for message in reading["messages"]} == {f"m{number}" for number in range(24)}
    lower = ok(client.get(f"{BANK}/pages/{page_id}/read?tier=micro"))
    assert lower["tier"] == "micro"


def test_stored_vision_tokens_come_as_safetensors(client: httpx.Client) -> None:
    page_id = sealed(client)
    response = client.get(f"{BANK}/pages/{page_id}/tokens")
    assert response.headers["content-type"] == "application/vnd.safetensors"
    assert "attachment" in response.headers["content-disposition"]
    tensor = load_safetensors(response.content)["tokens"]
    assert tensor.dtype == np.uint8
    page = ok(client.get(f"{BANK}/pages/{page_id}"))
    assert tensor.shape[0] * tensor.shape[1] == page["vision_tokens"]


def test_a_pinned_page_stays(client: httpx.Client) -> None:
    page_id = sealed(client)
    for _ in range(2):
        assert ok(client.put(f"{BANK}/pages/{page_id}/pin"))["pinned"]
    assert ok(client.post(f"{BANK}/age", json={"now": LATER}))["moved"] == []
    assert not ok(client.delete(f"{BANK}/pages/{page_id}/pin"))["pinned"]
    assert len(ok(client.post(f"{BANK}/age", json={"now": LATER}))["moved"]) == 1


def test_recall_by_query_and_by_window(client: httpx.Client) -> None:
    sealed(client)
    client.post(f"{BANK}/messages", json={"messages": [{"id": "new", "role": "user", "content": "Titan is late."}]})
    found = ok(client.post(f"{BANK}/recall", json={"query": "when does Titan ship?", "limit": 5}))
    assert len(found["spans"]) == 5
    assert "Titan" in found["spans"][0]["text"]
    scores = [span["score"] for span in found["spans"]]
    assert scores == sorted(scores, reverse=True)
    assert found["text_tokens"] > 0

    window = {"since": "2026-01-05T09:03:00Z", "until": "2026-01-05T09:06:00Z"}
    spans = ok(client.post(f"{BANK}/recall", json=window))["spans"]
    assert [span["message_id"] for span in spans] == ["m3", "m4", "m5"]
    assert all(span["score"] is None for span in spans)

    words = {"since": "yesterday", "now": "2026-01-06T10:00:00Z", "timezone": "Asia/Seoul", "until": NOW, "limit": 500}
    assert len(ok(client.post(f"{BANK}/recall", json=words))["spans"]) == 24

    seen: list[str] = []
    cursor = None
    while True:
        part = ok(client.post(f"{BANK}/recall", json={"limit": 10, "cursor": cursor}))
        seen.extend(span["message_id"] for span in part["spans"])
        cursor = part["next_cursor"]
        if cursor is None:
            break
    assert seen == [*(f"m{number}" for number in range(24)), "new"]

    budget = ok(client.post(f"{BANK}/recall", json={"query": "titan", "max_tokens": 30}))
    assert 0 < budget["text_tokens"] <= 30


def test_verbatim_gives_only_kept_text(client: httpx.Client) -> None:
    sealed(client)
    client.post(f"{BANK}/age", json={"now": LATER})
    client.post(f"{BANK}/messages", json={"messages": [{"id": "new", "role": "user", "content": "Titan is late."}]})
    spans = ok(client.post(f"{BANK}/recall", json={"query": "titan", "fidelity": "verbatim"}))["spans"]
    assert [span["message_id"] for span in spans] == ["new"]


def test_recall_as_images(client: httpx.Client) -> None:
    page_id = sealed(client)
    client.post(f"{BANK}/messages", json={"messages": [{"id": "new", "role": "user", "content": "Titan is late."}]})
    found = ok(client.post(f"{BANK}/recall", json={"query": "titan", "format": "images"}))
    assert [image["page_id"] for image in found["images"]] == [page_id]
    image = found["images"][0]
    shown = Image.open(io.BytesIO(base64.b64decode(image["data"])))
    assert (shown.width, shown.height) == (image["width"], image["height"])
    assert found["vision_tokens"] == image["tokens"]
    assert [span["message_id"] for span in found["open_spans"]] == ["new"]


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"limit": 0}, 422, "invalid-request"),
        ({"limit": 501}, 422, "invalid-request"),
        ({"max_tokens": 0}, 422, "invalid-request"),
        ({"format": "audio"}, 422, "invalid-request"),
        ({"fidelity": "perfect"}, 422, "invalid-request"),
        ({"colour": "red"}, 422, "invalid-request"),
        ({"now": "2026-01-05T12:00:00"}, 422, "invalid-request"),
        ({"since": "no time at all"}, 422, "invalid-time"),
        ({"since": "yesterday", "timezone": "Mars/Olympus"}, 422, "invalid-time"),
        ({"format": "images", "max_tokens": 5}, 422, "invalid-input"),
        ({"format": "text", "reader": "native"}, 422, "invalid-input"),
        ({"format": "images", "reader": "crystal-ball"}, 422, "invalid-input"),
    ],
)
def test_a_wrong_recall_is_refused(client: httpx.Client, body: dict[str, Any], status: int, slug: str) -> None:
    assert problem_type(client.post(f"{BANK}/recall", json=body), status) == slug


def test_a_policy_is_set_and_obeyed(client: httpx.Client) -> None:
    assert ok(client.get(f"{BANK}/policy"))["steps"][0] == {"after": "P7D", "tier": "small"}
    policy = {"fresh": "large", "steps": [{"after": "PT1H", "tier": "micro"}], "keep_text": "until:micro"}
    held = ok(client.put(f"{BANK}/policy", json=policy))
    assert Policy.model_validate(held) == Policy.model_validate(policy)
    assert ok(client.get(f"{BANK}/policy")) == held
    sealed(client)
    moved = ok(client.post(f"{BANK}/age", json={"now": NOW}))["moved"]
    assert [(move["from_tier"], move["to_tier"]) for move in moved] == [("large", "micro")]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"steps": [{"after": "P7D", "tier": "large"}]}, "lower tiers"),
        ({"steps": [{"after": "P9D", "tier": "small"}, {"after": "P7D", "tier": "tiny"}]}, "ascend"),
        ({"steps": [{"after": "P7D", "tier": "huge"}]}, "'micro'"),
        ({"keep_text": "sometimes"}, "keep_text"),
        ({"undo_window": "a week"}, "undo_window"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_reason(client: httpx.Client, policy: dict[str, Any], said: str) -> None:
    before = ok(client.get(f"{BANK}/policy"))
    response = client.put(f"{BANK}/policy", json=policy)
    assert problem_type(response, 422) == "invalid-policy"
    assert said in response.json()["detail"]
    assert ok(client.get(f"{BANK}/policy")) == before


def test_a_policy_must_be_an_object(client: httpx.Client) -> None:
    assert problem_type(client.put(f"{BANK}/policy", json=[1]), 422) == "invalid-request"


def test_without_time_travel_now_is_only_for_previews(memory: Memory) -> None:
    conversation(memory)
    app = create_app(load_settings({"ageing_enabled": False}), memory)
    with BackgroundServer(app) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        for path in ("seal", "age", "recall"):
            response = client.post(f"{BANK}/{path}", json={"now": LATER})
            assert problem_type(response, 403) == "time-travel-forbidden"
            assert "FOXING_TIME_TRAVEL" in response.json()["detail"]
        assert ok(client.post(f"{BANK}/age", json={"now": LATER, "dry_run": True}))["dry_run"]
        assert ok(client.get(BANK))["open_messages"] == 24
        assert len(ok(client.post(f"{BANK}/seal"))["pages"]) == 1  # no body at all
        assert ok(client.post(f"{BANK}/age", content=b""))["dry_run"] is False


def test_the_service_is_ready_when_codec_and_database_are(client: httpx.Client) -> None:
    assert ok(client.get("/readyz")) == {"status": "ok"}


def test_an_unknown_codec_is_not_ready(database_path: Path) -> None:
    app = create_app(load_settings({"database_url": str(database_path), "codec": "papyrus", "ageing_enabled": False}))
    with BackgroundServer(app) as server:
        response = httpx.get(f"{server.url}/readyz")
        assert problem_type(response, 500) == "codec"
        assert "FOXING_CODEC" in response.json()["detail"]
        body = {"messages": [{"role": "user", "content": "x"}]}
        assert httpx.post(f"{server.url}{BANK}/messages", json=body).status_code == 201


def test_concurrent_recalls_of_faded_pages_agree(client: httpx.Client) -> None:
    sealed(client)
    client.post(f"{BANK}/age", json={"now": LATER})

    def recall(_: int) -> Any:
        return ok(client.post(f"{BANK}/recall", json={"limit": 30}))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(recall, range(12)))
    assert len(answers[0]["spans"]) == 24
    assert all(answer == answers[0] for answer in answers)


class HeldCodec:
    """The native codec, whose decoding waits until the gate is open."""

    def __init__(self) -> None:
        self._codec = load_codec()
        self.gate = threading.Event()
        self.waiting = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        self.waiting.set()
        assert self.gate.wait(60)
        return self._codec.decode(tokens)


def test_storing_goes_on_while_recalls_wait_for_the_codec(memory: Memory, database_path: Path) -> None:
    conversation(memory)
    memory.seal("agent-7", now=datetime.fromisoformat(NOW))
    memory.age("agent-7", now=datetime.fromisoformat(LATER))
    codec = HeldCodec()
    settings = load_settings({"ageing_enabled": False, "codec_threads": 2, "threads": 2})
    with (
        Memory(database_path, codec=cast(Codec, codec)) as held,
        BackgroundServer(create_app(settings, held)) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        try:
            recalls = [pool.submit(client.post, f"{BANK}/recall", json={"limit": 30}) for _ in range(6)]
            assert codec.waiting.wait(60)
            for number in range(5):
                body = {"messages": [{"id": f"n{number}", "role": "user", "content": "meanwhile"}]}
                assert client.post(f"{BANK}/messages", json=body).status_code == 201
            assert client.get("/healthz").status_code == 200
            assert not any(recall.done() for recall in recalls)
        finally:
            codec.gate.set()
        answers = [ok(recall.result()) for recall in recalls]
    assert all(len(answer["spans"]) >= 24 for answer in answers)
