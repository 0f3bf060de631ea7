"""DeepSeek-OCR as a codec: conformance, stored tokens, loading and errors. The weights are random."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from support.checkpoint_edits import Edit, edit_config, edit_weights, edited_copy, remove, truncate

from foxing.encoder import Codec, CodecError, TokensError, VisionTokens, load_codec
from foxing.encoder.capabilities import DescribableCodec
from foxing.encoder.conformance import CHECKS, READING_CHECKS, sample_page
from foxing.encoder.diagnostics import check_codec
from foxing.encoder.vision.codec import VisionCodec, from_tokens
from foxing.encoder.vision.digest import weights_digest
from foxing.encoder.vision.generation import Budget, Generation, align_characters, generate
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.model import PageFeatures
from foxing.encoder.vision.plugins import VisionOptions
from foxing.renderer import PageLayout, render
from foxing.renderer.layout import PRINTED_PAGE
from foxing.renderer.page import grid_text

TOKENS = {"large": (400, 421), "base": (256, 273), "small": (100, 111), "tiny": (64, 73)}


@pytest.fixture(scope="module")
def codec(local_codec: VisionCodec) -> VisionCodec:
    return local_codec


@pytest.fixture(scope="module")
def images(codec: VisionCodec) -> dict[str, Image.Image]:
    page = sample_page(codec)
    return {tier: render(page.cells, page.layout, tier) for tier in codec.tiers}


@pytest.mark.slow
@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check not in READING_CHECKS], ids=lambda check: check.__name__
)
@pytest.mark.parametrize("tiers", [("small", "tiny"), pytest.param(tuple(TOKENS), marks=pytest.mark.slow)], ids=len)
def test_conformance_with_random_weights(
    codec: VisionCodec, check: Callable[[Codec], None], tiers: tuple[str, ...]
) -> None:
    model = copy(codec.model)
    model.tiers = MappingProxyType({tier: codec.model.tiers[tier] for tier in tiers})
    check(VisionCodec(model, codec.weights, layout=codec.layout))


@pytest.mark.slow
def test_a_page_takes_the_models_number_of_tokens_and_positions(codec: VisionCodec) -> None:
    assert {tier: (spec.tokens, spec.context_positions) for tier, spec in codec.tiers.items()} == TOKENS
    assert "micro" not in codec.tiers


@pytest.mark.slow
def test_the_check_reports_token_counts_and_fails_for_random_weights(codec: VisionCodec) -> None:
    checked = check_codec(codec)
    assert {row.tier: (row.vision_tokens, row.positions) for row in checked.tiers} == TOKENS
    assert [row.prompt_tokens for row in checked.tiers] == [None] * 4
    assert {"device", "computes in", "transformers", "torch"} <= set(checked.runs_on)
    assert not checked.passed


class GoodReader(VisionCodec):
    """Reads the sample page without a mistake, as paragraphs: rows are joined and messages parted by a blank line."""

    def generate(self, tokens: Sequence[VisionTokens]) -> list[Generation]:
        rows = [grid_text(row) for row in sample_page(self).cells]
        text = "".join(f"\n\n{row}" if row[:1] in "▶◆" else row.ljust(80) for row in rows).strip()
        sure = np.full(len(text), 0.95, dtype=np.float32)
        return [Generation(text, sure, np.zeros(len(text), dtype=bool), "end") for _ in tokens]


@pytest.mark.slow
def test_a_good_model_passes_the_check_however_it_breaks_lines(codec: VisionCodec) -> None:
    checked = check_codec(GoodReader(codec.model, codec.weights))
    assert checked.passed
    assert min(row.accuracy for row in checked.tiers) > 0.99
    assert max(row.flagged_share for row in checked.tiers) < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["small", "tiny"])
@torch.inference_mode()
def test_stored_tokens_generate_the_same_text_as_pixels(
    local_codec: VisionCodec,
    small_page: PageLayout,
    images: dict[str, Image.Image],
    tier: str,
) -> None:
    codec = VisionCodec(local_codec.model, local_codec.weights, layout=small_page, token_dtype="float32")
    model, network = codec.model, codec.model.network
    before, after = model.prompt_ids()
    ids = torch.tensor([before + [model.image_token_id] * model.positions(tier) + after])
    pixels = model.pixels([images[tier]])
    tokens = codec.encode([images[tier]], tier)[0]
    stored = PageFeatures(tier, from_tokens(tokens))
    assert torch.equal(network(ids, pixel_values=pixels).logits, network(ids, **model.inputs([stored], ids)).logits)
    expected = network.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, max_new_tokens=30, pad_token_id=1
    )[0, ids.shape[1] :].tolist()
    assert generate(model, [stored], Budget(30))[0].text == align_characters(model.tokenizer, expected)[0] != ""


def test_bfloat16_tokens_are_exact_for_bfloat16_weights(
    deepseek_folder: Path, small_page: PageLayout, images: dict[str, Image.Image]
) -> None:
    checkpoint = locate(str(deepseek_folder), None)
    model = DeepSeekOcr.load(checkpoint, torch.device("cpu"), torch.bfloat16)
    codec = VisionCodec(model, weights_digest(checkpoint), layout=small_page)
    with torch.inference_mode():
        features = model.image_features(model.pixels([images["tiny"]]), "tiny")[0]
    tokens = codec.encode([images["tiny"]], "tiny")[0]
    assert tokens.dtype == "bfloat16"
    assert tokens.bytes_per_token == 2 * tokens.shape[2]
    assert torch.equal(torch.frombuffer(bytearray(tokens.data), dtype=torch.bfloat16).view(features.shape), features)


def test_the_default_layout_is_the_printed_page(codec: VisionCodec) -> None:
    assert VisionCodec(codec.model, codec.weights).layout == PRINTED_PAGE


@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "model.image_newline"])
def test_different_weights_have_different_digests(deepseek_folder: Path, tmp_path: Path, name: str) -> None:
    tensors = load_file(deepseek_folder / "model.safetensors")
    tensors[name] *= 1.01
    save_file(tensors, tmp_path / "model.safetensors")
    assert weights_digest(locate(str(tmp_path), None)) != weights_digest(locate(str(deepseek_folder), None))


def test_tokens_of_other_weights_are_rejected(codec: VisionCodec, images: dict[str, Image.Image]) -> None:
    tokens = codec.encode([images["tiny"]], "tiny")[0]
    with pytest.raises(TokensError, match=r"the options? 'model'"):
        codec.decode([replace(tokens, weights="0123456789ab")])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_config(model_type="bert"), "a model of type 'bert'"),
        (edit_config(architectures=["DeepseekOCR2ForCausalLM"]), "DeepseekOCR2ForCausalLM"),
        (edit_config(vision_config={}), "not that of DeepSeek-OCR .KeyError.'width'."),
        (lambda folder: (folder / "config.json").write_text("<html>"), "no readable config.json"),
        (remove("config.json"), "no readable config.json"),
        (remove("tokenizer.json"), "no readable tokenizer.json"),
        (remove("model.safetensors"), "weights of .* cannot be loaded"),
        (truncate("model.safetensors", 5000), "weights of .* cannot be loaded"),
        (edit_weights(lambda t: t.pop("model.norm.weight")), "missing keys model.language_model.norm.weight"),
        (edit_weights(lambda t: t.update({"model.extra": torch.ones(2)})), "unexpected keys model.extra"),
    ],
)
def test_an_unsuitable_folder_is_reported(deepseek_folder: Path, tmp_path: Path, edit: Edit, message: str) -> None:
    folder = edited_copy(deepseek_folder, tmp_path / "model", edit)
    with pytest.raises(CodecError, match=message):
        DeepSeekOcr.load(locate(str(folder), None), torch.device("cpu"), torch.float32)


def test_a_folder_without_weights_has_no_digest(deepseek_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no weights"):
        weights_digest(locate(str(tmp_path), None))
    folder = edited_copy(deepseek_folder, tmp_path / "model", truncate("model.safetensors", 5000))
    with pytest.raises(CodecError, match=r"model\.safetensors .* cannot be read"):
        weights_digest(locate(str(folder), None))


@pytest.mark.parametrize("model", ["/nowhere/at/all", "./none", "nowhere", "a/b/c"])
def test_a_missing_folder_is_reported(model: str) -> None:
    with pytest.raises(CodecError, match=r"the options? 'model'"):
        locate(model, None)


def test_an_unreachable_hub_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    requests: list[tuple[str, str | None]] = []

    def fail(repo: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        requests.append((repo, revision))
        assert not any(pattern.endswith(".py") for pattern in allow_patterns)
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(CodecError, match=r"cannot be downloaded .*no route to host.*the option 'revision'"):
        load_codec("deepseek-ocr", "cpu", options=VisionOptions(revision="0123abc"))
    assert requests == [("deepseek-ai/DeepSeek-OCR", "0123abc")]


def test_the_codec_opens_by_name(deepseek_folder: Path) -> None:
    options = VisionOptions(model=str(deepseek_folder))
    codec = load_codec("deepseek-ocr", "cpu", options=options)
    assert codec is load_codec("deepseek-ocr", "cpu", options=options)
    assert isinstance(codec, VisionCodec)
    assert codec.model.dtype == torch.float32
    assert isinstance(codec, DescribableCodec)
    assert codec.runs_on()["model"] == str(deepseek_folder)
    assert codec.runs_on()["computes in"] == "float32"
    assert codec.tiers["small"].dtype == "bfloat16"
    assert codec.tiers["small"].bytes_per_token == 2 * codec.model.shape("small")[2]
    with pytest.raises(CodecError, match="has no option 'token_bytes'"):
        load_codec("deepseek-ocr", "cpu", {"token_bytes": {"tiny": 128}})


@pytest.mark.parametrize("fields", [{"calibration": 4}, {"model": 5}])
def test_invalid_options_are_rejected(fields: dict[str, Any]) -> None:
    (name,) = fields
    with pytest.raises(CodecError, match=f"the option '{name}' of the codec 'deepseek-ocr'"):
        load_codec("deepseek-ocr", "cpu", fields)


def test_without_transformers_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['transformers'] = None\n"
        "from foxing.encoder import CodecError, load_codec\n"
        "try: load_codec('deepseek-ocr', 'cpu')\n"
        "except CodecError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'foxing[gpu]'" in done.stdout, done.stderr


@pytest.mark.slow
def test_the_native_codec_does_not_import_transformers() -> None:
    program = "import sys, foxing.encoder, foxing.encoder.native.codec; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
