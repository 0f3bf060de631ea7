"""Batches: bounded by a budget, with mixed tiers, split when memory runs out."""

from collections.abc import Sequence
from copy import copy
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foxing.encoder import CodecError, ReadFailed, Reading
from foxing.encoder.conformance import sample_page
from foxing.encoder.vision.batching import Batches
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.memory.pages.decode_queue import DecodeQueue
from foxing.renderer import PageLayout, render


@pytest.fixture
def codec(deepseek: DeepSeekOcr, deepseek_weights: str, small_page: PageLayout) -> VisionCodec:
    return VisionCodec(copy(deepseek), deepseek_weights, layout=small_page)


@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 8])
def test_batches_are_halved_until_they_fit_and_keep_the_order(capacity: int) -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > capacity:
            raise torch.OutOfMemoryError("out of memory")
        return [item * 10 for item in items]

    batches = Batches(torch.device("cuda"))
    assert batches.run(run, range(8)) == [item * 10 for item in range(8)]
    assert sizes[0] == 8
    tried = len(sizes)
    assert batches.run(run, range(8)) == [item * 10 for item in range(8)]
    assert max(sizes[tried:]) <= capacity  # what did not fit is not tried again


def test_an_item_that_does_not_fit_says_what_to_do() -> None:
    def run(items: Sequence[int]) -> list[int]:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(CodecError, match=r"not enough memory for a single page.*the device 'cpu'"):
        Batches(torch.device("cpu")).run(run, [1, 2])


class LimitedMemory:
    """A network with memory for `capacity` sequences."""

    def __init__(self, network: Any, capacity: int) -> None:
        self.network = network
        self.capacity = capacity
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def generate(self, **inputs: Any) -> Any:
        self.sizes.append(len(inputs["input_ids"]))
        if self.sizes[-1] > self.capacity:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.network.generate(**inputs)


def images(codec: VisionCodec, tier: str, count: int) -> list[Image.Image]:
    page = sample_page(codec)
    array = np.asarray(render(page.cells, page.layout, tier))
    return [Image.fromarray(np.roll(array, 40 * number, axis=1)) for number in range(count)]


@pytest.mark.slow
def test_mixed_tiers_in_one_batch_decode_as_they_do_alone(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 2), "tiny") + codec.encode(images(codec, "small", 1), "small")
    alone = [codec.generate([item])[0] for item in tokens]
    codec.model.network = network = LimitedMemory(codec.model.network, 3)
    together = codec.generate(tokens)
    assert network.sizes == [3]
    for one, other in zip(alone, together, strict=True):
        assert one.text == other.text
        assert other.confidence == pytest.approx(one.confidence, abs=1e-4)


@pytest.mark.slow
def test_out_of_memory_splits_the_batch(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 3), "tiny")
    expected = codec.generate(tokens)
    codec.model.network = network = LimitedMemory(codec.model.network, 1)
    generations = codec.generate(tokens)
    assert network.sizes == [3, 1, 1, 1]
    assert [item.text for item in generations] == [item.text for item in expected]
    network.capacity = 0
    with pytest.raises(ReadFailed, match="not enough memory"):
        codec.decode(tokens)


@pytest.mark.slow
def test_a_page_too_large_for_memory_fails_alone(codec: VisionCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = codec.encode(images(codec, "tiny", 2), "tiny") + codec.encode(images(codec, "small", 1), "small")
    generate = codec.model.network.generate

    def limited(**inputs: Any) -> Any:
        if inputs["input_ids"].shape[1] > 100:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return generate(**inputs)

    monkeypatch.setattr(codec.model.network, "generate", limited)
    first, second, third = DecodeQueue(lambda: codec).decode(tokens)
    assert isinstance(third, ReadFailed)
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)


def test_the_deadline_of_a_batch_is_a_failure_to_read(codec: VisionCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = codec.encode(images(codec, "tiny", 1), "tiny")
    with monkeypatch.context() as patched:
        patched.setattr("foxing.encoder.vision.codec.TIMEOUT_S", 0.0)
        with pytest.raises(ReadFailed, match="longer than its limit"):
            codec.decode(tokens)
    assert len(codec.decode(tokens)) == 1


def test_a_page_is_encoded_while_another_is_decoded(codec: VisionCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    page, tokens = images(codec, "tiny", 1), codec.encode(images(codec, "tiny", 1), "tiny")
    encoded: list[int] = []
    generate = codec.model.network.generate

    def generating(**inputs: Any) -> Any:
        other = Thread(target=lambda: encoded.append(len(codec.encode(page, "tiny"))))
        other.start()
        other.join(60)
        return generate(**inputs)

    monkeypatch.setattr(codec.model.network, "generate", generating)
    codec.decode(tokens)
    assert encoded == [1]
