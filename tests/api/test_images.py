"""Images over HTTP."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.images import encoded, picture
from support.service import ok, serve

from foxing.integrations.client import Client
from foxing.memory import ImagePart, Memory
from foxing.memory.pages.message_images import MessageImages

MESSAGES = "/v1/banks/ana/messages"
PNG, JPEG = encoded("PNG"), encoded("JPEG", picture(seed=1))
SAID = {"type": "text", "text": "The Titan dashboard:"}
MISSING = {"type": "image", "url": "attachment://c.png"}


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    with Memory(database_url) as memory, serve(memory) as client:
        yield client


def parts(client: httpx.Client, key: str = "m") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ok(client.get(f"{MESSAGES}/{key}"))["parts"]
    return found


def test_an_image_in_json_comes_back(client: httpx.Client) -> None:
    image = {"type": "image", "data": base64.b64encode(PNG).decode(), "name": "titan.png", "alt": "Errors"}
    stored = client.post(MESSAGES, json={"messages": [{"id": "m", "role": "user", "content": [SAID, image]}]})
    assert stored.status_code == 201
    text, found = parts(client)
    assert text == SAID
    size = {"media_type": "image/png", "width": 64, "height": 48}
    held = {"url": None, "tier": None, "original": size | {"bytes": len(PNG)}, "machine_read": None}
    assert found == image | size | held
    spans = ok(client.post("/v1/banks/ana/recall", json={"query": "Titan errors"}))["spans"]
    assert spans[0]["parts"] == [text, found]
    assert ok(client.get("/v1/banks/ana"))["bytes"]["images"] > len(PNG)


def test_the_client_exports_every_image(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageImages, "max_bytes", 1)
    with Memory(database_url) as memory, serve(memory) as http, Client(str(http.base_url)) as client:
        image = ImagePart(data=base64.b64encode(PNG).decode())
        client.store("ana", [{"id": "m", "role": "user", "content": [image.model_dump(exclude_none=True)]}])
        assert [part.data for part in client.recall("ana").spans[0].parts or []] == [None]  # type: ignore[union-attr]
        [found] = client.export("ana")
        assert [part.data for part in found.parts or []] == [base64.b64encode(PNG).decode()]  # type: ignore[union-attr]
