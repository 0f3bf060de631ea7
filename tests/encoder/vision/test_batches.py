"""Batches: bounded by a budget, of mixed tiers, and halved where memory does not suffice."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from foxing.encoder import CodecError, ReadFailed, Reading
from foxing.encoder.conformance import sample_page
from foxing.encoder.vision.batching import batches, split_on_oom
from foxing.encoder.vision.checkpoint import locate
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.deepseek import DeepSeekOcr
from foxing.encoder.vision.digest import weights_digest
from foxing.memory.pages.decode_queue import DecodeQueue
from foxing.renderer import PageLayout, render


@pytest.fixture
def codec(deepseek_folder: Path, small_page: PageLayout) -> VisionCodec:
    place = locate(str(deepseek_folder), None)
    model = DeepSeekOcr.load(place, torch.device("cpu"), torch.float32)
    return VisionCodec(model, weights_digest(place), layout=small_page)


def test_no_batch_costs_more_than_the_budget_and_nothing_is_left_out() -> None:
    costs = [421, 73, 111, 73, 273, 421, 111, 900, 73]
    made = list(batches(costs, 850))
    assert sorted(position for batch in made for position in batch) == list(range(len(costs)))
    for batch in made:
        assert len(batch) == 1 or len(batch) * max(costs[position] for position in batch) <= 850
    assert [7] in made, "what is over the budget goes alone"
    assert list(batches([], 100)) == []


@pytest.mark.parametrize("room", [1, 2, 3, 5, 8])
def test_work_is_halved_until_it_fits_and_comes_back_in_order(room: int) -> None:
    sizes: list[int] = []

    def run(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > room:
            raise torch.OutOfMemoryError("too little")
        return [item * 10 for item in items]

    assert split_on_oom(run, range(8)) == [item * 10 for item in range(8)]
    assert max(sizes) == 8


def test_what_does_not_fit_alone_is_an_error_that_says_what_to_do() -> None:
    def run(items: Sequence[int]) -> list[int]:
        raise torch.OutOfMemoryError("too little")

    with pytest.raises(CodecError, match=r"too little memory for a single page.*FOXING_DEVICE=cpu"):
        split_on_oom(run, [1, 2])


class ShortOfMemory:
    """A network that has memory for `room` sequences."""

    def __init__(self, network: Any, room: int) -> None:
        self.network = network
        self.room = room
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def generate(self, **inputs: Any) -> Any:
        self.sizes.append(len(inputs["input_ids"]))
        if self.sizes[-1] > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.network.generate(**inputs)


def images(codec: VisionCodec, tier: str, count: int) -> list[Image.Image]:
    page = sample_page(codec)
    drawn = np.asarray(render(page.cells, page.layout, tier))
    return [Image.fromarray(np.roll(drawn, 40 * number, axis=1)) for number in range(count)]


def test_pages_of_several_tiers_are_read_in_one_batch_as_alone(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 2), "tiny") + codec.encode(images(codec, "small", 1), "small")
    alone = [codec.generate([item])[0] for item in tokens]
    codec.model.network = counted = ShortOfMemory(codec.model.network, 3)
    together = codec.generate(tokens)
    assert counted.sizes == [3]
    for one, other in zip(alone, together, strict=True):
        assert one.text == other.text
        assert other.confidence == pytest.approx(one.confidence, abs=1e-4)


def test_out_of_memory_halves_the_batch_and_goes_on(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 3), "tiny")
    expected = codec.generate(tokens)
    codec.model.network = short = ShortOfMemory(codec.model.network, 1)
    written = codec.generate(tokens)
    assert short.sizes == [3, 1, 2, 1, 1]
    assert [item.text for item in written] == [item.text for item in expected]
    short.room = 0
    with pytest.raises(ReadFailed, match="too little memory"):
        codec.decode(tokens)


def test_a_page_for_which_there_is_no_memory_fails_alone(codec: VisionCodec, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = codec.encode(images(codec, "tiny", 2), "tiny") + codec.encode(images(codec, "small", 1), "small")
    generate = codec.model.network.generate

    def short(**inputs: Any) -> Any:
        if inputs["input_ids"].shape[1] > 100:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return generate(**inputs)

    monkeypatch.setattr(codec.model.network, "generate", short)
    first, second, third = DecodeQueue(lambda: codec).decode(tokens)
    assert isinstance(third, ReadFailed)
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)


def test_the_budget_bounds_a_batch(codec: VisionCodec) -> None:
    tokens = codec.encode(images(codec, "tiny", 3), "tiny")
    codec.model.network = counted = ShortOfMemory(codec.model.network, 9)
    codec.batch_tokens = 2 * (codec.model.positions("tiny") + codec.max_new_tokens)
    codec.decode(tokens)
    assert counted.sizes == [2, 1]
