"""Recall as text and as images, and concurrent recalls."""

import base64
import io
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, cast

import httpx
import pytest
from PIL import Image
from support.search_doubles import HashingEmbedder
from support.service import BANK, BANK_PATH, LATER, NOW, check_problem, ok, seal, serve, store_conversation

from foxing.encoder import Codec, Reading, VisionTokens, load_codec
from foxing.memory import Memory, MemoryOptions

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")


def store_open_message(client: httpx.Client) -> None:
    """Stores message "new", which stays open."""
    message = {"id": "new", "role": "user", "content": "Titan is late."}
    assert client.post(f"{BANK_PATH}/messages", json={"messages": [message]}).status_code == 201


def test_recall_by_query_and_by_window(bank_client: httpx.Client) -> None:
    seal(bank_client)
    store_open_message(bank_client)
    recalled = ok(bank_client.post(f"{BANK_PATH}/recall", json={"query": "when does Titan ship?", "limit": 5}))
    assert len(recalled["spans"]) == 5
    assert "Titan" in recalled["spans"][0]["text"]
    scores = [span["score"] for span in recalled["spans"]]
    assert scores == sorted(scores, reverse=True)
    assert recalled["text_tokens"] > 0
    assert all(0 <= span["relevance"] <= 1 for span in recalled["spans"])
    off_topic = {"query": "photosynthesis of algae", "min_relevance": 0.06}
    assert ok(bank_client.post(f"{BANK_PATH}/recall", json=off_topic))["spans"] == []
    assert ok(bank_client.post(f"{BANK_PATH}/recall", json={**off_topic, "format": "images"}))["images"] == []

    window = {"since": "2026-01-05T09:03:00Z", "until": "2026-01-05T09:06:00Z"}
    spans = ok(bank_client.post(f"{BANK_PATH}/recall", json=window))["spans"]
    assert [span["message_id"] for span in spans] == ["m3", "m4", "m5"]
    assert all(span["score"] is None and span["relevance"] is None for span in spans)

    words = {"since": "yesterday", "now": "2026-01-06T10:00:00Z", "timezone": "Asia/Seoul", "until": NOW, "limit": 500}
    assert len(ok(bank_client.post(f"{BANK_PATH}/recall", json=words))["spans"]) == 24

    seen: list[str] = []
    cursor = None
    while True:
        part = ok(bank_client.post(f"{BANK_PATH}/recall", json={"limit": 10, "cursor": cursor}))
        seen.extend(span["message_id"] for span in part["spans"])
        cursor = part["next_cursor"]
        if cursor is None:
            break
    assert seen == [*(f"m{number}" for number in range(24)), "new"]

    budget = ok(bank_client.post(f"{BANK_PATH}/recall", json={"query": "titan", "max_tokens": 30}))
    assert 0 < budget["text_tokens"] <= 30


def test_recall_filters_by_metadata(bank_client: httpx.Client) -> None:
    messages = [
        {"id": "a", "role": "user", "content": "Titan is late.", "metadata": {"user": "ana", "turn": 1}},
        {"id": "b", "role": "user", "content": "Titan is early.", "metadata": {"user": "bo", "turn": True}},
    ]
    assert bank_client.post(f"{BANK_PATH}/messages", json={"messages": messages}).status_code == 201

    def found(**fields: object) -> list[str]:
        spans = ok(bank_client.post(f"{BANK_PATH}/recall", json=fields))["spans"]
        return [span["message_id"] for span in spans]

    assert found(query="titan", metadata={"user": "ana"}) == ["a"]
    assert found(metadata={"turn": 1}) == ["a"]
    assert found(metadata={"turn": True}) == ["b"]
    assert found(metadata={"user": None}) == []
    images = ok(bank_client.post(f"{BANK_PATH}/recall", json={"format": "images", "metadata": {"user": "bo"}}))
    assert [(span["message_id"], span["metadata"]["user"]) for span in images["open_spans"]] == [("b", "bo")]
    body = {"metadata": {"user": ["ana"]}}
    check_problem(bank_client.post(f"{BANK_PATH}/recall", json=body), 422, "invalid-request")


def test_verbatim_recall_returns_only_kept_text(bank_client: httpx.Client) -> None:
    seal(bank_client)
    bank_client.post(f"{BANK_PATH}/age", json={"now": LATER})
    store_open_message(bank_client)
    spans = ok(bank_client.post(f"{BANK_PATH}/recall", json={"query": "titan", "fidelity": "verbatim"}))["spans"]
    assert [span["message_id"] for span in spans] == ["new"]


def test_recall_as_images(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    store_open_message(bank_client)
    recalled = ok(bank_client.post(f"{BANK_PATH}/recall", json={"query": "titan", "format": "images"}))
    assert [image["page_id"] for image in recalled["images"]] == [page_id]
    image = recalled["images"][0]
    decoded = Image.open(io.BytesIO(base64.b64decode(image["data"])))
    assert (decoded.width, decoded.height) == (image["width"], image["height"])
    assert recalled["vision_tokens"] == image["tokens"]
    assert [span["message_id"] for span in recalled["open_spans"]] == ["new"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"limit": 0}, 422, "invalid-request"),
        ({"limit": 501}, 422, "invalid-request"),
        ({"max_tokens": 0}, 422, "invalid-request"),
        ({"format": "audio"}, 422, "invalid-request"),
        ({"fidelity": "perfect"}, 422, "invalid-request"),
        ({"colour": "red"}, 422, "invalid-request"),
        ({"now": "2026-01-05T12:00:00"}, 422, "invalid-time"),
        ({"now": "noon or so"}, 422, "invalid-time"),
        ({"now": 5}, 422, "invalid-request"),
        ({"since": "no time at all"}, 422, "invalid-time"),
        ({"since": "yesterday", "timezone": "Mars/Olympus"}, 422, "invalid-time"),
        ({"format": "images", "max_tokens": 5}, 422, "invalid-input"),
        ({"format": "text", "reader": "native"}, 422, "invalid-input"),
        ({"format": "images", "reader": "crystal-ball"}, 422, "unknown-reader"),
        ({"format": "images", "reader": "text"}, 422, "invalid-input"),
    ],
)
def test_an_invalid_recall_is_refused(bank_client: httpx.Client, body: dict[str, Any], status: int, slug: str) -> None:
    check_problem(bank_client.post(f"{BANK_PATH}/recall", json=body), status, slug)


def test_concurrent_recalls_of_faded_pages_agree(bank_client: httpx.Client) -> None:
    seal(bank_client)
    bank_client.post(f"{BANK_PATH}/age", json={"now": LATER})

    def recall(_: int) -> Any:
        return ok(bank_client.post(f"{BANK_PATH}/recall", json={"limit": 30}))

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(recall, range(12)))
    assert len(responses[0]["spans"]) == 24
    assert all(response == responses[0] for response in responses)


class BlockedCodec:
    """The native codec, but decoding blocks until `gate` is set."""

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


def test_recalls_that_wait_for_the_codec_do_not_block_storing(memory: Memory, database_url: str) -> None:
    store_conversation(memory)
    memory.seal(BANK, now=datetime.fromisoformat(NOW))
    memory.age(BANK, now=datetime.fromisoformat(LATER))
    codec = BlockedCodec()
    with (
        Memory(database_url, codec=cast(Codec, codec)) as blocked,
        serve(blocked, codec_threads=2, threads=2) as client,
        ThreadPoolExecutor(6) as pool,
    ):
        try:
            recalls = [pool.submit(client.post, f"{BANK_PATH}/recall", json={"limit": 30}) for _ in range(6)]
            assert codec.waiting.wait(60)
            for number in range(5):
                body = {"messages": [{"id": f"n{number}", "role": "user", "content": "meanwhile"}]}
                assert client.post(f"{BANK_PATH}/messages", json=body).status_code == 201
            assert client.get("/healthz").status_code == 200
            assert not any(recall.done() for recall in recalls)
        finally:
            codec.gate.set()
        responses = [ok(recall.result()) for recall in recalls]
    assert all(len(response["spans"]) >= 24 for response in responses)


@pytest.mark.slow
def test_messages_are_embedded_after_the_answer(database_url: str) -> None:
    options = MemoryOptions(embedder=HashingEmbedder(), embed_later=True)
    with Memory(database_url, options=options) as memory, serve(memory) as client:
        for number in range(100):
            items = [{"id": f"{number}", "role": "user", "content": f"My sourdough rose {number} times."}]
            assert client.post(f"{BANK_PATH}/messages", json={"messages": items}).status_code == 201
            found = ok(client.post(f"{BANK_PATH}/recall", json={"query": f"sourdough {number}", "limit": 9}))
            assert f"{number}" in {span["message_id"] for span in found["spans"]}  # words find it at once
        held = 0
        for _ in range(1000):
            held = ok(client.get(BANK_PATH))["bytes"]["embeddings"]
            if held == 100 * (32 + 12):
                break
        assert held == 100 * (32 + 12)
    with Memory(database_url, options=options) as memory:
        assert memory.operations.embed_new(BANK) == 0


def test_an_unknown_shape_names_the_choices(bank_client: httpx.Client) -> None:
    for path, body in (
        ("recall", {"query": "Titan"}),
        ("context", {"reader": "text", "budget": 500, "query": "Titan"}),
    ):
        answer = bank_client.post(f"{BANK_PATH}/{path}", json={**body, "shape": "scene"})
        assert answer.status_code == 422
        assert all(shape in answer.text for shape in ("auto", "messages", "episode"))


def test_a_bank_that_does_not_exist_yet_has_nothing_to_recall(bank_client: httpx.Client) -> None:
    for path, body in (
        ("recall", {"query": "Titan"}),
        ("context", {"reader": "text", "budget": 500, "query": "Titan"}),
    ):
        answer = ok(bank_client.post(f"/v1/banks/not-yet/{path}", json=body))
        assert "there is no bank 'not-yet'" in answer["notes"][0]
