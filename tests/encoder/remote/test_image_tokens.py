"""Vision tokens that are an image."""

import numpy as np
import pytest
from safetensors.numpy import load as load_safetensors

from foxing.encoder import CodecError, TokensError, VisionTokens
from foxing.encoder.conformance import sample_page
from foxing.encoder.remote.codec import EndpointCodec
from foxing.encoder.remote.options import RemoteOptions
from foxing.encoder.tokens import png_bytes
from foxing.renderer import PageLayout, render

OPTIONS = RemoteOptions(url="http://127.0.0.1:9/v1", model="ocr")


@pytest.fixture(scope="module")
def codec() -> EndpointCodec:
    return EndpointCodec.load(OPTIONS)


def test_image_tokens_round_trip_and_can_be_cropped(codec: EndpointCodec) -> None:
    page = sample_page(codec)
    image = render(page.cells, codec.layout, "small")
    tokens = codec.encode([image], "small")[0]
    assert VisionTokens.from_bytes(tokens.to_bytes()) == tokens
    assert np.abs(np.asarray(tokens.image()).astype(int) - np.asarray(image)).max() <= 8
    parts = [tokens.crop(row, row + 1) for row in range(tokens.shape[0])]
    assert (
        np.concatenate([np.asarray(part.image()) for part in parts]).tobytes() == np.asarray(tokens.image()).tobytes()
    )
    assert load_safetensors(tokens.to_safetensors())["image"].tobytes() == tokens.data


def test_invalid_image_tokens_are_rejected() -> None:
    with pytest.raises(TokensError, match="one number each"):
        VisionTokens("remote", "png-80x40", "small", (1, 10, 2), "png", b"x")
    with pytest.raises(TokensError, match="one number each"):
        VisionTokens("remote", "png-80x40", "small", (1, 10, 1), "png", b"")
    for data in (b"x", png_bytes(render(np.zeros((4, 80), np.uint32), PageLayout(80, 40), "small"))[:-30]):
        with pytest.raises(TokensError, match="cannot be read"):
            VisionTokens("remote", "png-80x40", "small", (1, 10, 1), "png", data).image()
    with pytest.raises(TokensError, match="not an image"):
        VisionTokens("native", "w", "small", (1, 10, 1), "uint8", bytes(10)).image()


def test_a_lower_tier_is_made_from_the_image_without_requests(codec: EndpointCodec) -> None:
    page = sample_page(codec, 5)
    before = codec.encode([render(page.cells, codec.layout, "large")], "large")
    after = codec.lower(before, "tiny", [page.rows_used])[0]
    random_fault = codec.encode([render(page.cells, codec.layout, "tiny")], "tiny")[0]
    assert after.shape == random_fault.shape
    assert np.abs(np.asarray(after.image()).astype(int) - np.asarray(random_fault.image())).mean() < 4
    assert codec.usage.requests == 0
    with pytest.raises(CodecError, match="as sharp"):
        codec.lower([after], "large", [page.rows_used])
