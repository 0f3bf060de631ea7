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
from foxing.encoder.vision import free_memory as memory
from foxing.encoder.vision.batching import batches, split_on_oom
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.free_memory import EncoderMemory, batch_tokens, bytes_per_position
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.memory.pages.decode_queue import DecodeQueue
from foxing.renderer import PageLayout, render


@pytest.fixture
def codec(deepseek: DeepSeekOcr, deepseek_weights: str, small_page: PageLayout) -> VisionCodec:
    return VisionCodec(copy(deepseek), deepseek_weights, layout=small_page)


def test_batches_stay_within_the_budget_and_cover_all_items() -> None:
    costs = [421, 73, 111, 73, 273, 421, 111, 900, 73]
    planned = list(batches(costs, 850))
    assert sorted(index for batch in planned for index in batch) == list(range(len(costs)))
    for batch in planned:
        assert len(batch) == 1 or len(batch) * max(costs[index] for index in batch) <= 850
    assert [7] in planned, "an item over the budget gets its own batch"
    assert list(batches([], 100)) == []


@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 8])
def test_split_on_oom_halves_until_it_fits_and_keeps_the_order(capacity: int) -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > capacity:
            raise torch.OutOfMemoryError("out of memory")
        return [item * 10 for item in items]

    assert split_on_oom(run, range(8)) == [item * 10 for item in range(8)]
    assert max(sizes) == 8


def test_split_on_oom_says_what_to_do_if_one_item_does_not_fit() -> None:
    def run(items: Sequence[int]) -> list[int]:
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(CodecError, match=r"not enough memory for a single page.*the device 'cpu'"):
        split_on_oom(run, [1, 2])


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


def test_out_of_memory_splits_the_batch(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 3), "tiny")
    expected = codec.generate(tokens)
    codec.model.network = network = LimitedMemory(codec.model.network, 1)
    generations = codec.generate(tokens)
    assert network.sizes == [3, 1, 2, 1, 1]
    assert [item.text for item in generations] == [item.text for item in expected]
    network.capacity = 0
    with pytest.raises(ReadFailed, match="not enough memory"):
        codec.decode(tokens)


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


def test_the_deadline_of_a_batch_is_a_failure_to_read(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 1), "tiny")
    codec.timeout_s = 0.0
    with pytest.raises(ReadFailed, match="'timeout_s'"):
        codec.decode(tokens)
    codec.timeout_s = 600.0
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


def test_the_budget_of_a_batch_is_what_free_memory_allows(codec: VisionCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 layers of 2 × 32 numbers of 4 bytes are kept of a position, and as much is taken beside them."""
    per_position = 2 * 2 * 32 * 4 * 2
    assert bytes_per_position(codec.model.network.config.text_config, torch.float32) == per_position
    for free, expected in ((per_position * 1000, 800), (None, 32_768), (1 << 50, 1 << 18)):
        monkeypatch.setattr(memory, "free_bytes", lambda _, free=free: free)
        assert batch_tokens(codec.model) == expected
    page = codec.model.positions("tiny") + codec.max_new_tokens
    monkeypatch.setattr(memory, "free_bytes", lambda _: round(2.5 * page * per_position / memory.SHARE))
    codec.model.network = network = LimitedMemory(codec.model.network, 9)
    codec.decode(codec.encode(images(codec, "tiny", 3), "tiny"))
    assert network.sizes == [2, 1]
    assert (memory.free_bytes(torch.device("cpu")) or 1) > 0


def test_the_encoder_takes_as_many_pages_as_the_first_one_left_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    known = EncoderMemory(torch.device("cuda"))
    monkeypatch.setattr(memory, "free_bytes", lambda _: 100 << 20)
    assert known.pages_at_once("base") == 1, "nothing is known of the tier"
    known.record("base", 1, 10 << 20)
    assert (known.pages_at_once("base"), known.pages_at_once("small")) == (8, 1)
    known.record("base", 8, 40 << 20)
    assert known.pages_at_once("base") == 8, "a page took more when it was alone"
    known.record("base", 2, 100 << 20)
    assert known.pages_at_once("base") == 1
    assert EncoderMemory(torch.device("cpu")).pages_at_once("base") == memory.UNKNOWN_BATCH_PAGES


def test_batch_tokens_bounds_a_batch(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 3), "tiny")
    codec.model.network = network = LimitedMemory(codec.model.network, 9)
    codec.batch_tokens = 2 * (codec.model.positions("tiny") + codec.max_new_tokens)
    codec.decode(tokens)
    assert network.sizes == [2, 1]
