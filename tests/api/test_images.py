"""Images over HTTP: as JSON and as files of a form."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from support.images import bomb, encoded, picture
from support.service import check_problem, ok, serve

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


def form(messages: Any, *files: tuple[str, tuple[str, bytes]]) -> dict[str, Any]:
    return {"data": {"request": json.dumps({"messages": messages})}, "files": files}


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


def test_files_of_a_form_are_images_of_messages(client: httpx.Client) -> None:
    content = [{"type": "image", "url": "attachment://b.jpg", "alt": "second"}, SAID]
    messages = [{"id": "m", "role": "user", "content": content}, {"id": "n", "role": "user", "content": "See this."}]
    sent = form(messages, ("file", ("a.png", PNG)), ("file", ("photos/b.jpg", JPEG)))
    assert client.post(MESSAGES, **sent).status_code == 201
    named, _ = parts(client)
    assert (named["name"], named["alt"], base64.b64decode(named["data"])) == ("b.jpg", "second", JPEG)
    text, appended = parts(client, "n")
    assert (text["text"], appended["name"], base64.b64decode(appended["data"])) == ("See this.", "a.png", PNG)


def test_a_file_of_a_form_may_have_any_name(client: httpx.Client) -> None:
    messages = [{"id": "m", "role": "user", "content": [{"type": "image", "url": "attachment://차트 é.png"}]}]
    assert client.post(MESSAGES, **form(messages, ("file", ("차트 é.png", PNG)))).status_code == 201
    assert parts(client)[0]["name"] == "차트 é.png"


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"files": [("file", ("a.png", PNG))]}, "needs one field 'request'"),
        ({"data": {"request": "{"}, "files": [("file", ("a.png", PNG))]}, "invalid JSON"),
        (form([], ("file", ("a.png", PNG))), "at least one message"),
        (form([1], ("file", ("a.png", PNG))), "at least one message"),
        (
            form(
                [{"role": "user", "content": [{"type": "image", "url": "attachment://c.png"}]}], ("f", ("a.png", PNG))
            ),
            "no file 'c.png'",
        ),
        (form([{"role": "user", "content": "x"}], ("f", ("a.png", PNG)), ("g", ("a.png", PNG))), "the same name"),
        (form([{"role": "user", "content": "x"}], ("f", ("a.png", b"<html>"))), "not a PNG, JPEG, WebP or GIF"),
        (form([{"role": "user", "content": "x"}], ("f", ("a.png", bomb()))), "16,384 × 16,384 pixels"),
        (
            {"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=y"}},
            "the form cannot be read",
        ),
        ({"content": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data"}}, "no boundary"),
    ],
)
def test_an_invalid_form_is_refused(client: httpx.Client, sent: dict[str, Any], reason: str) -> None:
    response = client.post(MESSAGES, **sent)
    assert response.status_code == 422
    assert reason in response.json()["detail"]
    assert ok(client.get("/v1/banks"))["banks"] == []


def test_a_form_is_for_messages_alone(client: httpx.Client) -> None:
    response = client.post("/v1/banks/ana/recall", **form([{}], ("file", ("a.png", PNG))))
    check_problem(response, 415, "unsupported-media-type")


def test_the_client_exports_every_image(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MessageImages, "max_bytes", 1)
    with Memory(database_url) as memory, serve(memory) as http, Client(str(http.base_url)) as client:
        image = ImagePart(data=base64.b64encode(PNG).decode())
        client.store("ana", [{"id": "m", "role": "user", "content": [image.model_dump(exclude_none=True)]}])
        assert [part.data for part in client.recall("ana").spans[0].parts or []] == [None]  # type: ignore[union-attr]
        [found] = client.export("ana")
        assert [part.data for part in found.parts or []] == [base64.b64encode(PNG).decode()]  # type: ignore[union-attr]
