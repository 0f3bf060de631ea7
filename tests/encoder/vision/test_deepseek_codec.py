"""DeepSeek-OCR as a codec: conformance, stored tokens, loading, and what it refuses. The weights are random."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from foxing.encoder import Codec, CodecError, DeepSeekOptions, DescribableCodec, TokensError, VisionTokens, load_codec
from foxing.encoder.conformance import CHECKS, READING_CHECKS, sample_page
from foxing.encoder.diagnostics import check_codec
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.deepseek import DeepSeekOcr
from foxing.encoder.vision.generation import characters, write
from foxing.encoder.vision.loading import locate, weights_digest
from foxing.encoder.vision.model import READ, Given
from foxing.encoder.vision.quantization import from_tokens, to_bytes
from foxing.renderer import PRINTED_PAGE, PageLayout, render

TOKENS = {"large": (400, 421), "base": (256, 273), "small": (100, 111), "tiny": (64, 73)}


def opened(folder: Path, layout: PageLayout, **options: Any) -> VisionCodec:
    place = locate(str(folder), None)
    model = DeepSeekOcr.load(place, torch.device("cpu"), torch.float32)
    return VisionCodec(model, weights_digest(place), layout=layout, **options)


@pytest.fixture(scope="module")
def codec(deepseek_folder: Path, small_page: PageLayout) -> VisionCodec:
    return opened(deepseek_folder, small_page)


@pytest.fixture(scope="module")
def images(codec: VisionCodec) -> dict[str, Image.Image]:
    page = sample_page(codec)
    return {tier: render(page.cells, page.layout, tier) for tier in codec.tiers}


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check not in READING_CHECKS], ids=lambda check: check.__name__
)
def test_conformance_of_weights_that_cannot_read(codec: Codec, check: Callable[[Codec], None]) -> None:
    check(codec)


def test_a_page_costs_what_the_model_counts(codec: VisionCodec) -> None:
    assert {tier: (spec.tokens, spec.context_positions) for tier, spec in codec.tiers.items()} == TOKENS
    assert "micro" not in codec.tiers


def test_the_check_tells_what_the_model_counts_and_that_it_cannot_read(codec: VisionCodec) -> None:
    checked = check_codec(codec)
    assert {row.tier: (row.vision_tokens, row.positions) for row in checked.tiers} == TOKENS
    assert [row.prompt_tokens for row in checked.tiers] == [None] * 4
    assert {"device", "computes in", "transformers", "torch"} <= set(checked.runs_on)
    assert not checked.passed


@pytest.mark.parametrize("tier", ["small", "tiny"])
@torch.inference_mode()
def test_text_from_stored_tokens_is_the_text_from_pixels(
    deepseek_folder: Path, small_page: PageLayout, images: dict[str, Image.Image], tier: str
) -> None:
    codec = opened(deepseek_folder, small_page, token_dtype="float32")
    model, network = codec.model, codec.model.network
    before, after = model.question(model.prompt(READ))
    ids = torch.tensor([before + [model.image_id] * model.positions(tier) + after])
    pixels = model.pixels([images[tier]])
    tokens = codec.encode([images[tier]], tier)[0]
    stored = Given(tier, from_tokens(tokens))
    assert torch.equal(network(ids, pixel_values=pixels).logits, network(ids, **model.inputs([stored], ids)).logits)
    given = network.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, max_new_tokens=30, pad_token_id=1
    )[0, ids.shape[1] :].tolist()
    assert write(model, [stored], model.prompt(READ), bound=30)[0].text == characters(model.tokenizer, given)[0] != ""


def test_bfloat16_weights_lose_nothing_in_bfloat16_tokens(
    deepseek_folder: Path, small_page: PageLayout, images: dict[str, Image.Image]
) -> None:
    place = locate(str(deepseek_folder), None)
    model = DeepSeekOcr.load(place, torch.device("cpu"), torch.bfloat16)
    codec = VisionCodec(model, weights_digest(place), layout=small_page)
    with torch.inference_mode():
        seen = model.look(model.pixels([images["tiny"]]), "tiny")[0]
    tokens = codec.encode([images["tiny"]], "tiny")[0]
    assert tokens.dtype == "bfloat16"
    assert tokens.bytes_per_token == 2 * tokens.shape[2]
    assert torch.equal(torch.frombuffer(bytearray(tokens.data), dtype=torch.bfloat16).view(seen.shape), seen)


@pytest.mark.parametrize(
    ("dtype", "share"), [("float16", 0.001), ("bfloat16", 0.01), ("int8", 0.05), ("float8_e4m3", 0.1)]
)
@torch.inference_mode()
def test_what_tokens_are_stored_in_moves_logits_little(
    codec: VisionCodec, images: dict[str, Image.Image], dtype: str, share: float
) -> None:
    """`share`: of the spread of the logits; measured 0.0002, 0.002 and 0.02 on these weights."""
    model = codec.model
    before, after = model.question(model.prompt(READ))
    ids = torch.tensor([before + [model.image_id] * model.positions("tiny") + after])

    def logits(stored: str) -> torch.Tensor:
        tokens = VisionCodec(model, codec.weights, token_dtype=stored).encode([images["tiny"]], "tiny")[0]
        return model.network(ids, **model.inputs([Given("tiny", from_tokens(tokens))], ids)).logits[0, -1]

    exact = logits("float32")
    assert float((logits(dtype) - exact).abs().max()) < share * float(exact.std())


def test_numbers_beyond_the_range_of_a_dtype_stay_numbers() -> None:
    features = torch.tensor([[[1000.0, -1000.0, 1.0]]])
    data = to_bytes(features, "float8_e4m3")
    tokens = VisionTokens("c", "w", "tiny", (1, 1, 3), "float8_e4m3", data)
    assert from_tokens(tokens).tolist() == [[[448.0, -448.0, 1.0]]]


def test_the_layout_is_the_printed_page_unless_another_is_given(codec: VisionCodec) -> None:
    assert VisionCodec(codec.model, codec.weights).layout == PRINTED_PAGE


def test_prompts_are_offered_by_name(codec: VisionCodec, images: dict[str, Image.Image]) -> None:
    assert {"free-ocr", "markdown", "grounding", "locate", "figure"} <= set(codec.model.prompts)
    assert codec.model.prompt("free-ocr") == "\nFree OCR."
    assert codec.model.prompt("locate", "the date") == "\nLocate <|ref|>the date<|/ref|> in the image."
    marks = [codec.model.tokenizer.token_to_id(mark) for mark in ("<|ref|>", "<|/ref|>")]
    assert [token for token in codec.model.ids(codec.model.prompt("locate", "x")) if token in marks] == marks
    tokens = codec.encode([images["tiny"]], "tiny")
    assert codec.write(tokens, "markdown")[0].text
    with pytest.raises(CodecError, match="no prompt 'poem'; it has free-ocr, markdown"):
        codec.write(tokens, "poem")


@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "model.image_newline"])
def test_other_weights_have_another_digest(deepseek_folder: Path, tmp_path: Path, name: str) -> None:
    tensors = load_file(deepseek_folder / "model.safetensors")
    tensors[name] *= 1.01
    save_file(tensors, tmp_path / "model.safetensors")
    assert weights_digest(locate(str(tmp_path), None)) != weights_digest(locate(str(deepseek_folder), None))


def test_tokens_of_other_weights_are_refused(codec: VisionCodec, images: dict[str, Image.Image]) -> None:
    tokens = codec.encode([images["tiny"]], "tiny")[0]
    with pytest.raises(TokensError, match=r"the options? 'model'"):
        codec.decode([replace(tokens, weights="0123456789ab")])


def copied(folder: Path, target: Path, change: Callable[[Path], None]) -> Path:
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    change(target)
    return target


def edit_config(**fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def edit_weights(change_tensors: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change_tensors(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return change


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5000])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit_config(model_type="bert"), "a model of type 'bert'"),
        (edit_config(architectures=["DeepseekOCR2ForCausalLM"]), "DeepseekOCR2ForCausalLM"),
        (edit_config(vision_config={}), "not that of DeepSeek-OCR .KeyError.'width'."),
        (lambda folder: (folder / "config.json").write_text("<html>"), "no config.json that can be read"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json that can be read"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json that can be read"),
        (lambda folder: (folder / "model.safetensors").unlink(), "weights of .* cannot be loaded"),
        (cut_short, "weights of .* cannot be loaded"),
        (edit_weights(lambda t: t.pop("model.norm.weight")), "missing keys model.language_model.norm.weight"),
        (edit_weights(lambda t: t.update({"model.extra": torch.ones(2)})), "unexpected keys model.extra"),
    ],
)
def test_a_folder_that_holds_something_else_is_named(
    deepseek_folder: Path, tmp_path: Path, change: Callable[[Path], None], said: str
) -> None:
    folder = copied(deepseek_folder, tmp_path / "model", change)
    with pytest.raises(CodecError, match=said):
        DeepSeekOcr.load(locate(str(folder), None), torch.device("cpu"), torch.float32)


def test_a_folder_without_weights_has_no_digest(deepseek_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CodecError, match="no weights"):
        weights_digest(locate(str(tmp_path), None))
    folder = copied(deepseek_folder, tmp_path / "model", cut_short)
    with pytest.raises(CodecError, match=r"model\.safetensors .* cannot be read"):
        weights_digest(locate(str(folder), None))


@pytest.mark.parametrize("model", ["/nowhere/at/all", "./none", "nowhere", "a/b/c"])
def test_a_folder_that_is_not_there_is_named(model: str) -> None:
    with pytest.raises(CodecError, match=r"the options? 'model'"):
        locate(model, None)


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str | None]] = []

    def no_network(repo: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repo, revision))
        assert not any(pattern.endswith(".py") for pattern in allow_patterns)
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", no_network)
    with pytest.raises(CodecError, match=r"cannot be downloaded .*no route to host.*the option 'revision'"):
        load_codec("deepseek-ocr", "cpu", options=DeepSeekOptions(revision="0123abc"))
    assert asked == [("deepseek-ai/DeepSeek-OCR", "0123abc")]


def test_the_codec_opens_by_name(deepseek_folder: Path) -> None:
    options = DeepSeekOptions(model=str(deepseek_folder), token_dtype="float8_e4m3", batch_tokens=5000)
    codec = load_codec("deepseek-ocr", "cpu", options=options)
    assert codec is load_codec("deepseek-ocr", "cpu", options=options)
    assert isinstance(codec, VisionCodec)
    assert codec.model.dtype == torch.float32
    assert codec.batch_tokens == 5000
    assert isinstance(codec, DescribableCodec)
    assert codec.runs_on()["model"] == str(deepseek_folder)
    assert codec.runs_on()["computes in"] == "float32"
    assert codec.tiers["small"].dtype == "float8_e4m3"
    assert codec.tiers["small"].bytes_per_token == codec.model.shape("small")[2]
    with pytest.raises(CodecError, match="has no option 'token_bytes'"):
        load_codec("deepseek-ocr", "cpu", {"token_bytes": {"tiny": 128}})


@pytest.mark.parametrize("fields", [{"dtype": "int4"}, {"token_dtype": "int3"}, {"batch_tokens": 0}])
def test_options_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
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


def test_the_native_codec_comes_up_without_transformers() -> None:
    program = "import sys, foxing.encoder, foxing.encoder.native.codec; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
