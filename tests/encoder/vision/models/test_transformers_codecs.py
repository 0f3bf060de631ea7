"""GOT-OCR 2.0 and the models that take a grid of patches as codecs: conformance, and agreement with their own
processors and models. The weights are random."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from PIL import Image, ImageChops

from foxing.encoder import Codec
from foxing.encoder.conformance import CHECKS, READING_CHECKS, sample_page
from foxing.encoder.vision.codec import VisionCodec, from_tokens
from foxing.encoder.vision.digest import weights_digest
from foxing.encoder.vision.generation import Budget, align_characters, generate
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.got import GotOcr2
from foxing.encoder.vision.models.grid import GridModel
from foxing.encoder.vision.models.model import PageFeatures, VisionModel
from foxing.encoder.vision.models.qwen import QwenVl
from foxing.renderer import PageLayout, render

KINDS: dict[str, type[VisionModel]] = {
    "got_ocr2": GotOcr2,
    "qwen2_5_vl": QwenVl,
    "qwen2_vl": QwenVl,
    "qwen3_vl": QwenVl,
}
GRIDS = tuple(kind for kind in KINDS if kind != "got_ocr2")
#: Types with code of their own. Tests of the others are slow, but for that of their whole pipeline.
FIRST = ("got_ocr2", "qwen3_vl")
#: One type of each class, for what does not depend on the checkpoint.
CLASSES = ("got_ocr2", "qwen3_vl")
EVERY = [kind if kind in FIRST else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
EVERY_GRID = EVERY[1:]
PATCHES_OF_14 = {"large": 46**2, "base": 37**2, "small": 23**2, "tiny": 18**2}
TOKENS = {
    "got_ocr2": {"base": 256},
    **dict.fromkeys(GRIDS, PATCHES_OF_14),
    "qwen2_vl": {**PATCHES_OF_14, "large": 45**2},  # within its processor's limit
    "qwen3_vl": {"large": 1600, "base": 1024, "small": 400, "tiny": 256},
}
#: Sharper tiers differ in size alone; those of MinerU2.5 are limited by its processor.
TIERS = [
    ("got_ocr2", "base"),
    *((kind, "tiny") for kind in FIRST[1:]),
    *(pytest.param(kind, "tiny", marks=pytest.mark.slow) for kind in GRIDS if kind not in FIRST),
    *(pytest.param(kind, "small", marks=pytest.mark.slow) for kind in GRIDS),
    pytest.param("qwen2_vl", "large", marks=pytest.mark.slow),
]
#: Text before and after the vision tokens for the default prompt.
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
PROMPTS = {
    "got_ocr2": (
        "<|im_start|>system\nYou should follow the instructions carefully and explain your answers in detail."
        "<|im_end|><|im_start|>user\n<img>",
        "</img>\n OCR: <|im_end|><|im_start|>assistant\n",
    ),
    "qwen2_5_vl": (
        f"{SYSTEM}<|im_start|>user\n<|vision_start|>",
        "<|vision_end|>Read all the text in the image.<|im_end|>\n<|im_start|>assistant\n",
    ),
    "qwen2_vl": (
        f"{SYSTEM}<|im_start|>user\n<|vision_start|>",
        "<|vision_end|>\nText Recognition:<|im_end|>\n<|im_start|>assistant\n",
    ),
    "qwen3_vl": (
        "<|im_start|>user\n<|vision_start|>",
        "<|vision_end|>Read all the text in the image.<|im_end|>\n<|im_start|>assistant\n",
    ),
}
MARKS = {
    **dict.fromkeys(GRIDS, "<|image_pad|>"),
    "got_ocr2": "<imgpad>",
}

OpenCodec = Callable[[str], VisionCodec]


def processor(kind: str, folder: Path) -> Any:
    """The published processor with its settings."""
    import transformers
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    half = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    if kind == "got_ocr2":
        sized = GotOcr2ImageProcessorPil(size={"height": 1024, "width": 1024})
        return transformers.GotOcr2Processor(sized, tokenizer)
    settings: dict[str, Any] = {"size": {"shortest_edge": 56 * 56, "longest_edge": 12845056}, "patch_size": 14}
    if kind == "qwen3_vl":
        settings = {"size": {"shortest_edge": 65536, "longest_edge": 16777216}, "patch_size": 16, **half}
    if kind == "qwen2_vl":
        settings["size"]["longest_edge"] = 1605632
    names = {"qwen2_vl": "Qwen2VLProcessor", "qwen3_vl": "Qwen3VLProcessor"}
    published = images_only(names.get(kind, "Qwen2_5_VLProcessor"))
    return published(Qwen2VLImageProcessorPil(**settings), tokenizer, None)


def images_only(name: str) -> Any:
    """A published processor without its part for videos, which would need torchvision."""
    import transformers

    return type(name, (getattr(transformers, name),), {"check_argument_for_proper_class": lambda *_: object})


@pytest.fixture(scope="module")
def open_codec(model_folder: Callable[[str], Path], small_page: PageLayout) -> OpenCodec:
    """Opens the codec over a model type, with tokens stored in float32."""

    @cache
    def open_kind(kind: str) -> VisionCodec:
        checkpoint = locate(str(model_folder(kind)), None)
        model = KINDS[kind].load(checkpoint, torch.device("cpu"), torch.float32)
        return VisionCodec(model, weights_digest(checkpoint), layout=small_page, token_dtype="float32")

    return open_kind


def image(codec: VisionCodec, tier: str, messages: int = 12) -> Image.Image:
    return render(sample_page(codec, messages).cells, codec.layout, tier)


@pytest.fixture(scope="module")
def open_low_tiers(open_codec: OpenCodec) -> OpenCodec:
    """Opens the codec over a model type with its two lowest tiers alone, which take a tenth of the time."""

    @cache
    def open_kind(kind: str) -> VisionCodec:
        whole = open_codec(kind)
        model = copy(whole.model)
        if isinstance(model, GridModel):
            model._tiers = MappingProxyType(dict(list(model.tiers.items())[-2:]))
        return VisionCodec(model, whole.weights, layout=whole.layout, token_dtype="float32")

    return open_kind


def conformance() -> Iterator[object]:
    """Each check for each class, slow for all but one."""
    for check in CHECKS:
        if check not in READING_CHECKS:
            for kind in CLASSES:
                marks = () if kind == "qwen3_vl" else (pytest.mark.slow,)
                yield pytest.param(check, kind, id=f"{check.__name__}-{kind}", marks=marks)


@pytest.mark.parametrize(("check", "kind"), list(conformance()))
def test_conformance_with_random_weights(open_low_tiers: OpenCodec, check: Callable[[Codec], None], kind: str) -> None:
    check(open_low_tiers(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_tiers_have_the_models_number_of_tokens(open_codec: OpenCodec, kind: str) -> None:
    codec = open_codec(kind)
    assert {tier: spec.tokens for tier, spec in codec.tiers.items()} == TOKENS[kind]
    assert all(spec.context_positions == spec.tokens for spec in codec.tiers.values())


@pytest.mark.parametrize(("kind", "tier"), TIERS)
@torch.inference_mode()
def test_features_equal_those_of_the_published_processor_and_encoder(
    open_codec: OpenCodec, model_folder: Callable[[str], Path], kind: str, tier: str
) -> None:
    codec = open_codec(kind)
    inputs = dict(processor(kind, model_folder(kind)).image_processor(image(codec, tier), return_tensors="pt"))
    inputs.pop("num_patches", None)
    output = codec.model.network.get_image_features(**inputs)
    parts = [output.pooler_output[0], *(part[0] for part in getattr(output, "deepstack_features", ()))]
    expected = torch.cat(parts, dim=-1)
    stored = from_tokens(codec.encode([image(codec, tier)], tier)[0])
    assert float(expected.std()) > 0.01
    assert float((stored.flatten(0, 1) - expected).abs().max()) <= 1e-5


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of the processor of GLM
@pytest.mark.parametrize(("kind", "tier"), [("got_ocr2", "base"), *((kind, "tiny") for kind in GRIDS)])
@torch.inference_mode()
def test_stored_tokens_generate_the_same_text_as_the_published_pipeline(
    open_codec: OpenCodec, model_folder: Callable[[str], Path], kind: str, tier: str
) -> None:
    codec = open_codec(kind)
    model, page = copy(codec.model), image(codec, tier)
    model.repeats = replace(model.repeats, presence_penalty=0.0, frequency_penalty=0.0)  # transformers has none
    before, after = PROMPTS[kind]
    prompt = {} if kind == "got_ocr2" else {"text": [before + MARKS[kind] + after]}
    inputs = processor(kind, model_folder(kind))(images=[page], return_tensors="pt", **prompt)
    inputs.pop("num_patches", None)
    steps = model.repeats.size - 1 if kind == "got_ocr2" else 30  # the published pipeline does not ban n-grams
    generated = model.network.generate(
        **inputs, do_sample=False, max_new_tokens=steps, eos_token_id=sorted(model.eos_token_ids), pad_token_id=0
    )
    expected = generated[0, inputs["input_ids"].shape[1] :].tolist()
    ends = [step for step, token in enumerate(expected) if token in model.eos_token_ids]
    text = align_characters(model.tokenizer, expected[: ends[0]] if ends else expected)[0]
    stored = PageFeatures(tier, from_tokens(codec.encode([page], tier)[0]))
    assert generate(model, [stored], Budget(steps))[0].text == text != ""
    moved = PageFeatures(tier, from_tokens(codec.encode([ImageChops.offset(page, 37, 91)], tier)[0]))
    assert generate(model, [moved], Budget(steps))[0].text != text, "the text depends on the image"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of the processor of GLM
@pytest.mark.parametrize("kind", KINDS)
def test_prompts_equal_the_published_ones(
    open_codec: OpenCodec, model_folder: Callable[[str], Path], kind: str
) -> None:
    codec = open_codec(kind)
    model = codec.model
    tier = list(codec.tiers)[-1]
    before, after = PROMPTS[kind]
    assert model.prompt_ids() == (model.tokenize(before), model.tokenize(after))
    prompt = {} if kind == "got_ocr2" else {"text": [before + MARKS[kind] + after]}
    inputs = processor(kind, model_folder(kind))(images=[image(codec, tier)], return_tensors="pt", **prompt)
    ids = model.tokenize(before) + [model.image_token_id] * model.positions(tier) + model.tokenize(after)
    assert inputs["input_ids"][0].tolist() == ids


@pytest.mark.parametrize("kind", EVERY)
@torch.inference_mode()
def test_stored_tokens_give_bitwise_the_same_logits_as_pixels(open_codec: OpenCodec, kind: str) -> None:
    codec = open_codec(kind)
    model, tier = codec.model, list(codec.tiers)[-1]
    page = image(codec, tier)
    before, after = model.prompt_ids()
    ids = torch.tensor([before + [model.image_token_id] * model.positions(tier) + after])
    inputs = model.inputs([PageFeatures(tier, from_tokens(codec.encode([page], tier)[0]))], ids)
    pixels = model.pixels([page.resize((model.side_px(tier),) * 2, Image.Resampling.BICUBIC)])
    if isinstance(model, GridModel):
        pixels = model.patches(pixels)
    positions = {name: value for name, value in inputs.items() if name != "mm_encoder_outputs"}
    from_pixels = model.network(ids, pixel_values=pixels, **positions).logits
    assert torch.equal(model.network(ids, **inputs).logits, from_pixels)
    blank = torch.zeros_like(from_tokens(codec.encode([page], tier)[0]))
    assert not torch.allclose(model.network(ids, **model.inputs([PageFeatures(tier, blank)], ids)).logits, from_pixels)


@pytest.mark.parametrize("kind", EVERY_GRID)
@torch.inference_mode()
def test_mixed_tiers_in_one_batch_decode_as_they_do_alone(open_codec: OpenCodec, kind: str) -> None:
    codec = open_codec(kind)
    model = codec.model
    tokens = [codec.encode([image(codec, tier)], tier)[0] for tier in ("tiny", "small", "tiny")]
    pages = [PageFeatures(item.tier, from_tokens(item)) for item in tokens]
    together = generate(model, pages, Budget(20))
    for page, generation in zip(pages, together, strict=True):
        alone = generate(model, [page], Budget(20))[0]
        assert generation.text == alone.text
        assert generation.confidence == pytest.approx(alone.confidence, abs=1e-5)


@pytest.mark.parametrize("kind", EVERY_GRID)
@torch.inference_mode()
def test_the_decoder_gets_the_position_of_each_token(open_codec: OpenCodec, kind: str) -> None:
    """In a padded batch of two tiers: rows and columns within the page; the text continues after its side."""
    codec = open_codec(kind)
    model = codec.model
    rows = []
    before, after = model.prompt_ids()
    for tier in ("tiny", "small"):
        rows.append(before + [model.image_token_id] * model.positions(tier) + after)
    longest = max(map(len, rows))
    padding = longest - len(rows[0])
    ids = torch.tensor([[0] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    pages = [PageFeatures(tier, torch.zeros(model.shape(tier))) for tier in ("tiny", "small")]
    inputs = model.inputs(pages, ids)
    inputs.pop("mm_encoder_outputs")
    positions, _ = model.network.model.get_rope_index(ids, attention_mask=mask, **inputs)
    side = model.shape("tiny")[0]
    first = padding + len(before)
    page = positions[:, 0, first : first + side * side]
    assert page[0].unique().tolist() == [len(before)]
    assert (page[1] - len(before)).view(side, side).tolist() == [[row] * side for row in range(side)]
    assert (page[2] - len(before)).view(side, side).tolist() == [list(range(side))] * side
    assert positions[:, 0, first + side * side].tolist() == [len(before) + side] * 3


def test_intermediate_features_are_stored_and_used(open_codec: OpenCodec) -> None:
    codec = open_codec("qwen3_vl")
    model = codec.model
    assert model.shape("tiny") == (16, 16, 32 * 3)
    tokens = codec.encode([image(codec, "tiny")], "tiny")
    features = from_tokens(tokens[0])
    without = features.clone()
    without[..., 32:] = 0
    before, after = model.prompt_ids()
    ids = torch.tensor([before + [model.image_token_id] * 256 + after])
    with torch.inference_mode():
        complete, reduced = (
            model.network(ids, **model.inputs([PageFeatures("tiny", f)], ids)).logits for f in (features, without)
        )
    assert float((complete - reduced).abs().max()) > 0.01


@pytest.mark.parametrize("kind", [*EVERY_GRID, pytest.param("got_ocr2", marks=pytest.mark.slow)])
def test_bfloat16_tokens_are_exact_for_bfloat16_weights(
    model_folder: Callable[[str], Path], small_page: PageLayout, kind: str
) -> None:
    checkpoint = locate(str(model_folder(kind)), None)
    model = KINDS[kind].load(checkpoint, torch.device("cpu"), torch.bfloat16)
    codec = VisionCodec(model, weights_digest(checkpoint), layout=small_page)
    tier = list(codec.tiers)[-1]
    page = image(codec, tier)
    with torch.inference_mode():
        pixels = model.pixels([page.resize((model.side_px(tier),) * 2, Image.Resampling.BICUBIC)])
        features = model.image_features(pixels, tier)[0]
    tokens = codec.encode([page], tier)
    assert torch.equal(from_tokens(tokens[0]), features.float())
    assert codec.decode(tokens)[0].tier == tier
