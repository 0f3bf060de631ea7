"""DeepSeek-OCR-2 and Unlimited-OCR as codecs: conformance, and agreement with their own processors and models. The
weights are random."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from safetensors.torch import load_file
from support.checkpoint_edits import Edit, edit_config, edit_weights, edited_copy
from support.deepseek_checkpoint import write_deepseek, write_deepseek_2, write_unlimited

from foxing.encoder import Codec, CodecError, load_codec
from foxing.encoder.conformance import CHECKS, READING_CHECKS, batches_decode_as_single_pages, sample_page
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.digest import weights_digest
from foxing.encoder.vision.generation import Budget, align_characters, generate
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.deepseek2 import DeepSeekOcr2
from foxing.encoder.vision.models.model import FREE_OCR, PageFeatures
from foxing.encoder.vision.models.unlimited import UnlimitedOcr
from foxing.encoder.vision.quantization import from_tokens
from foxing.renderer import PageLayout, render

KINDS: dict[str, type[DeepSeekOcr]] = {"deepseek-ocr-2": DeepSeekOcr2, "unlimited-ocr": UnlimitedOcr}
WRITE = {"deepseek-ocr-2": write_deepseek_2, "unlimited-ocr": write_unlimited}
TOKENS = {
    "deepseek-ocr-2": {"base": (256, 257), "small": (144, 145)},
    "unlimited-ocr": {"base": (256, 273), "small": (100, 111)},
}
PROMPTS = {"deepseek-ocr-2": "\nFree OCR.", "unlimited-ocr": "document parsing."}

OpenCodec = Callable[[str], VisionCodec]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a checkpoint, written once."""
    return cache(lambda kind: WRITE[kind](tmp_path_factory.mktemp(kind)))


@pytest.fixture(scope="module")
def open_codec(folder: Callable[[str], Path], small_page: PageLayout) -> OpenCodec:
    """Opens a codec with tokens stored in float32."""

    @cache
    def open_kind(kind: str) -> VisionCodec:
        checkpoint = locate(str(folder(kind)), None)
        model = KINDS[kind].load(checkpoint, torch.device("cpu"), torch.float32)
        return VisionCodec(model, weights_digest(checkpoint), layout=small_page, token_dtype="float32")

    return open_kind


def image(codec: VisionCodec, tier: str) -> Image.Image:
    return render(sample_page(codec).cells, codec.layout, tier)


def ids_of(codec: VisionCodec, tier: str) -> torch.Tensor:
    model = codec.model
    before, after = model.prompt_ids(model.prompt(FREE_OCR))
    return torch.tensor([before + [model.image_token_id] * model.positions(tier) + after])


def conformance() -> Iterator[object]:
    """Each check for each model; slow for the encoder that DeepSeek-OCR has as well, and where it takes longest."""
    for check in CHECKS:
        if check not in READING_CHECKS:
            for kind in KINDS:
                slow = kind == "unlimited-ocr" or check is batches_decode_as_single_pages
                marks = (pytest.mark.slow,) if slow else ()
                yield pytest.param(check, kind, id=f"{check.__name__}-{kind}", marks=marks)


@pytest.mark.parametrize(("check", "kind"), list(conformance()))
def test_conformance_with_random_weights(open_codec: OpenCodec, check: Callable[[Codec], None], kind: str) -> None:
    check(open_codec(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_takes_the_models_number_of_tokens_and_positions(open_codec: OpenCodec, kind: str) -> None:
    tiers = open_codec(kind).tiers
    assert {tier: (spec.tokens, spec.context_positions) for tier, spec in tiers.items()} == TOKENS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_with_published_names_loads_completely(
    open_codec: OpenCodec, folder: Callable[[str], Path], kind: str
) -> None:
    """The values of all tensors, of which some are joined or split when they are loaded."""
    published = load_file(folder(kind) / "model.safetensors")
    unused = 0 if kind == "deepseek-ocr-2" else 14 * 14 * 3 * 32  # a patch embedding without a use
    assert {"model.sam_model.net_3.weight", "model.view_seperator"} <= set(published)
    loaded = open_codec(kind).model.network.state_dict().values()
    assert sum(value.numel() for value in loaded) == sum(value.numel() for value in published.values()) - unused


@pytest.mark.parametrize("tier", [pytest.param("base", marks=pytest.mark.slow), "small"])
@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_features_equal_those_of_the_published_processor_and_encoder(
    open_codec: OpenCodec, kind: str, tier: str
) -> None:
    codec = open_codec(kind)
    model, page = codec.model, image(codec, tier)
    assert isinstance(model, DeepSeekOcr)
    pixels = published_pixels(kind, page, model.tiers[tier])
    expected = model.network.get_image_features(pixel_values=pixels).pooler_output[0]
    assert len(expected) == TOKENS[kind][tier][1]
    assert float(expected.std()) > 0.01
    stored = from_tokens(codec.encode([page], tier)[0])
    assert float((model.image_embeddings(stored) - expected).abs().max()) <= 1e-5


def published_pixels(kind: str, page: Image.Image, side: int) -> torch.Tensor:
    """What the published processor makes of a page without parts of it: float [1, 3, side, side]. That of Unlimited-OCR
    needs torchvision, and does the same to a square image."""
    from transformers.models.deepseek_ocr2.image_processing_pil_deepseek_ocr2 import DeepseekOcr2ImageProcessorPil

    if kind == "unlimited-ocr":
        grey = torch.from_numpy(np.asarray(page.convert("RGB"), dtype=np.float32))
        return ((grey / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
    options: dict[str, Any] = {"crop_to_patches": False, "tile_size": side}
    pixels: torch.Tensor = DeepseekOcr2ImageProcessorPil()(images=page, return_tensors="pt", **options)["pixel_values"]
    return pixels


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_stored_tokens_give_the_same_logits_and_text_as_pixels(open_codec: OpenCodec, kind: str) -> None:
    codec = open_codec(kind)
    model, network, page = codec.model, codec.model.network, image(codec, "small")
    ids, side = ids_of(codec, "small"), model.side_px("small")
    pixels = model.pixels([page.resize((side, side), Image.Resampling.BICUBIC)])
    stored = PageFeatures("small", from_tokens(codec.encode([page], "small")[0]))
    assert torch.equal(network(ids, pixel_values=pixels).logits, network(ids, **model.inputs([stored], ids)).logits)
    expected = network.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, max_new_tokens=29, pad_token_id=1
    )[0, ids.shape[1] :].tolist()
    text = align_characters(model.tokenizer, expected)[0]
    assert generate(model, [stored], model.prompt(FREE_OCR), Budget(29))[0].text == text != ""
    moved = PageFeatures("small", from_tokens(codec.encode([ImageChops.offset(page, 37, 91)], "small")[0]))
    logits = network(ids, **model.inputs([moved], ids)).logits
    assert not torch.equal(logits, network(ids, **model.inputs([stored], ids)).logits)


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_equal_the_published_ones(open_codec: OpenCodec, kind: str) -> None:
    model = open_codec(kind).model
    assert model.prompt(FREE_OCR) == PROMPTS[kind]
    assert model.prompt_ids(model.prompt(FREE_OCR)) == ([0], model.tokenize(PROMPTS[kind]))


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_mixed_tiers_in_one_batch_decode_as_they_do_alone(open_codec: OpenCodec, kind: str) -> None:
    codec = open_codec(kind)
    tokens = [codec.encode([image(codec, tier)], tier)[0] for tier in ("small", "base")]
    pages = [PageFeatures(item.tier, from_tokens(item)) for item in tokens]
    together = generate(codec.model, pages, PROMPTS[kind], Budget(20))
    for page, generation in zip(pages, together, strict=True):
        alone = generate(codec.model, [page], PROMPTS[kind], Budget(20))[0]
        assert generation.text == alone.text
        assert generation.confidence == pytest.approx(alone.confidence, abs=1e-5)


@torch.inference_mode()
def test_the_decoder_of_unlimited_ocr_sees_the_page_and_the_last_tokens(
    open_codec: OpenCodec, folder: Callable[[str], Path], tmp_path: Path
) -> None:
    narrow = open_codec("unlimited-ocr")
    assert narrow.model.network.config.text_config.sliding_window == 8
    wide = edited_copy(folder("unlimited-ocr"), tmp_path / "wide", edit_config(sliding_window=1000))
    model = UnlimitedOcr.load(locate(str(wide), None), torch.device("cpu"), torch.float32)
    stored = PageFeatures("small", from_tokens(narrow.encode([image(narrow, "small")], "small")[0]))
    ids = ids_of(narrow, "small")
    steps = [
        torch.stack(
            one.network.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=20,
                pad_token_id=1,
                return_dict_in_generate=True,
                output_logits=True,
                **one.inputs([stored], ids),
            ).logits
        )
        for one in (narrow.model, model)
    ]
    assert torch.allclose(steps[0][:8], steps[1][:8], atol=1e-5)
    assert float((steps[0][12:] - steps[1][12:]).abs().max()) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_codecs_open_by_name(folder: Callable[[str], Path], kind: str) -> None:
    codec = load_codec(kind, "cpu", options={"model": str(folder(kind)), "token_dtype": "int8"})
    assert isinstance(codec, VisionCodec)
    assert (codec.name, codec.tiers["small"].dtype) == (kind, "int8")


@pytest.mark.parametrize(
    ("kind", "edit", "message"),
    [
        ("deepseek-ocr-2", edit_config(architectures=["DeepseekOCRForCausalLM"]), "not DeepSeek-OCR-2; set"),
        ("deepseek-ocr-2", edit_config(vision_config={"width": {}}), "not that of DeepSeek-OCR-2 .KeyError"),
        ("deepseek-ocr-2", edit_weights(lambda t: t.pop("model.qwen2_model.query_768.weight")), "missing keys .*768"),
        ("unlimited-ocr", edit_config(model_type="deepseek_vl_v2"), "not Unlimited-OCR; set"),
        ("unlimited-ocr", edit_config(language_config=None), "not that of Unlimited-OCR .KeyError"),
        ("unlimited-ocr", edit_weights(lambda t: t.pop("model.image_newline")), "missing keys .*newline"),
    ],
)
def test_an_unsuitable_folder_is_reported(
    folder: Callable[[str], Path], tmp_path: Path, kind: str, edit: Edit, message: str
) -> None:
    target = edited_copy(folder(kind), tmp_path / "model", edit)
    with pytest.raises(CodecError, match=message):
        KINDS[kind].load(locate(str(target), None), torch.device("cpu"), torch.float32)


def test_deepseek_ocr_rejects_the_other_models(folder: Callable[[str], Path], tmp_path: Path) -> None:
    for kind in KINDS:
        with pytest.raises(CodecError, match="not DeepSeek-OCR; set the option 'model' to deepseek-ai/DeepSeek-OCR or"):
            DeepSeekOcr.load(locate(str(folder(kind)), None), torch.device("cpu"), torch.float32)
    with pytest.raises(CodecError, match="not DeepSeek-OCR-2"):
        DeepSeekOcr2.load(locate(str(write_deepseek(tmp_path)), None), torch.device("cpu"), torch.float32)
