"""Images, readings and vision tokens of pages, and pinning."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load as load_safetensors
from support.service import BANK_PATH, LATER, check_problem, ok, seal

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions")


def test_a_page_has_an_image_at_every_tier_that_the_memory_holds(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    for tier, side in (("base", 1024), ("tiny", 512)):
        response = bank_client.get(f"{BANK_PATH}/pages/{page_id}/image", params={"tier": tier})
        assert response.headers["content-type"] == "image/png"
        image = Image.open(io.BytesIO(response.content))
        assert image.width == side
        assert image.height % 64 == 0
    bank_client.post(f"{BANK_PATH}/age", json={"now": LATER})
    current = bank_client.get(f"{BANK_PATH}/pages/{page_id}/image")
    assert Image.open(io.BytesIO(current.content)).width == 512
    check_problem(bank_client.get(f"{BANK_PATH}/pages/{page_id}/image?tier=base"), 410, "forgotten")
    check_problem(bank_client.get(f"{BANK_PATH}/pages/{page_id}/read?tier=large"), 410, "forgotten")
    check_problem(bank_client.get(f"{BANK_PATH}/pages/{page_id}/read?tier=huge"), 422, "invalid-request")
    check_problem(bank_client.get(f"{BANK_PATH}/pages/nothing/image"), 404, "not-found")


def test_a_page_can_be_read_at_its_tier_or_a_lower_one(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    reading = ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}/read"))
    assert reading["page_id"] == page_id
    assert reading["lines"]
    assert {message["message_id"] for message in reading["messages"]} == {f"m{number}" for number in range(24)}
    lower = ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}/read?tier=micro"))
    assert lower["tier"] == "micro"


def test_vision_tokens_are_served_as_safetensors(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    response = bank_client.get(f"{BANK_PATH}/pages/{page_id}/tokens")
    assert response.headers["content-type"] == "application/vnd.safetensors"
    assert "attachment" in response.headers["content-disposition"]
    tensor = load_safetensors(response.content)["stream"]
    assert tensor.dtype == np.uint8
    page = ok(bank_client.get(f"{BANK_PATH}/pages/{page_id}"))
    assert tensor.shape == (len(tensor),)
    assert -(-len(tensor) // 48) == page["vision_tokens"]


def test_a_pinned_page_does_not_age(bank_client: httpx.Client) -> None:
    page_id = seal(bank_client)
    for _ in range(2):
        assert ok(bank_client.put(f"{BANK_PATH}/pages/{page_id}/pin"))["pinned"]
    assert ok(bank_client.post(f"{BANK_PATH}/age", json={"now": LATER}))["moved"] == []
    assert not ok(bank_client.delete(f"{BANK_PATH}/pages/{page_id}/pin"))["pinned"]
    assert len(ok(bank_client.post(f"{BANK_PATH}/age", json={"now": LATER}))["moved"]) == 1
