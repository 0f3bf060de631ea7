"""Checkpoints of GOT-OCR 2.0 and of models that take a grid of patches: strict loading under their published names,
and errors for unsuitable folders. The weights are random."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from support.checkpoint_edits import Edit, edit_config, edit_weights, edited_copy, remove, truncate

from foxing.encoder import CodecError, load_codec
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.got import GotOcr2
from foxing.encoder.vision.models.model import VisionModel
from foxing.encoder.vision.models.qwen import VARIANTS, QwenVl
from foxing.encoder.vision.plugins import VisionOptions

Loaded = Callable[[str], VisionModel]

KINDS: dict[str, type[VisionModel]] = {
    "got_ocr2": GotOcr2,
    **dict.fromkeys(VARIANTS, QwenVl),
}
#: With an output layer of their own.
UNTIED = ("qwen3_vl",)
#: A published parameter name from each part of the network.
KNOWN = {
    "got_ocr2": {
        "language_model.model.layers.0.self_attn.q_proj.bias",
        "vision_tower.layers.0.attn.rel_pos_h",
        "multi_modal_projector.conv_upsampler1.weight",
    },
    "qwen2_5_vl": {
        "model.layers.0.self_attn.q_proj.bias",
        "visual.blocks.0.mlp.gate_proj.bias",
        "visual.merger.ln_q.weight",
    },
    "qwen2_vl": {
        "model.layers.0.self_attn.q_proj.bias",
        "visual.blocks.0.mlp.fc1.bias",
        "visual.merger.ln_q.bias",
    },
    "qwen3_vl": {
        "lm_head.weight",
        "model.language_model.layers.0.self_attn.q_norm.weight",
        "model.visual.deepstack_merger_list.0.linear_fc1.weight",
    },
}


#: Types that are loaded each in its own way. Those of the others, which share their code, are slow.
FIRST = ("got_ocr2", "qwen2_vl")
EVERY = [kind if kind in FIRST else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]


def load(folder: Path, kind: str) -> VisionModel:
    return KINDS[kind].load(locate(str(folder), None), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def loaded(model_folder: Callable[[str], Path]) -> Loaded:
    """The model of a checkpoint, loaded once."""
    return cache(lambda kind: load(model_folder(kind), kind))


def swap_marks(folder: Path) -> None:
    """Exchanges the ids of image marks in the tokenizer."""
    path = folder / "tokenizer.json"
    text = path.read_text()
    for first, second in (("<|image_pad|>", "<|video_pad|>"), ("<imgpad>", "<img>")):
        text = text.replace(first, "\0").replace(second, first).replace("\0", second)
    path.write_text(text)


def rename_mark(folder: Path) -> None:
    """Renames the end-of-turn token of the tokenizer."""
    path = folder / "tokenizer.json"
    text = path.read_text()
    path.write_text(text.replace("<|im_end|>", "<another |im_end|>"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_with_published_names_loads_completely(
    model_folder: Callable[[str], Path], loaded: Loaded, kind: str
) -> None:
    tensors = load_file(model_folder(kind) / "model.safetensors")
    assert set(tensors) >= KNOWN[kind]
    network = loaded(kind).network
    values = network.state_dict()
    tied = bool(network.config.tie_word_embeddings)
    assert tied == (kind not in UNTIED)
    assert len(values) == len(tensors) + tied
    checksums = sorted(float(tensor.double().sum()) for tensor in tensors.values())
    assert (
        sorted(float(v.double().sum()) for n, v in values.items() if not (tied and n == "lm_head.weight")) == checksums
    )


@pytest.mark.parametrize("kind", EVERY)
def test_a_checkpoint_with_the_names_of_transformers_loads_too(
    model_folder: Callable[[str], Path], loaded: Loaded, tmp_path: Path, kind: str
) -> None:
    values = loaded(kind).network.state_dict()
    if kind not in UNTIED:
        del values["lm_head.weight"]
    renamed = edit_weights(lambda t: (t.clear(), t.update({name: value.clone() for name, value in values.items()})))
    reloaded = load(edited_copy(model_folder(kind), tmp_path / "model", renamed), kind).network.state_dict()
    assert all(torch.equal(reloaded[name], value) for name, value in values.items())


@pytest.mark.parametrize("kind", KINDS)
def test_published_sampling_settings_are_ignored(
    model_folder: Callable[[str], Path], loaded: Loaded, kind: str
) -> None:
    assert json.loads((model_folder(kind) / "generation_config.json").read_text())["repetition_penalty"] == 1.5
    network = loaded(kind).network
    prepared, _ = network._prepare_generation_config(None)
    assert (prepared.do_sample, prepared.repetition_penalty) == (False, 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_eos_tokens_are_the_published_ones(model_folder: Callable[[str], Path], loaded: Loaded, kind: str) -> None:
    published = json.loads((model_folder(kind) / "generation_config.json").read_text())
    assert loaded(kind).eos_token_ids == set(published["eos_token_id"])


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (edit_config(model_type="bert"), "a model of type 'bert'"),
        (edit_config(model_type="deepseek_vl_v2"), "the option 'model'"),
        (edit_config(model_type=None), "a model of type None"),
        (edit_config(vision_config=None), "does not describe an encoder"),
        (edit_config(image_token_id="?", image_token_index="?"), "is invalid"),
        (truncate("config.json", 100), "no readable config.json"),
        (remove("tokenizer.json"), "no readable tokenizer.json"),
        (rename_mark, r"has no token (<\|im_end\|>|<\|user\|>|</s>)"),
        (swap_marks, "belong to different models"),
        (remove("model.safetensors"), "weights of .* cannot be loaded"),
        (edit_weights(lambda t: t.pop(next(n for n in t if n.endswith("k_proj.weight")))), "missing keys .*k_proj"),
        (edit_weights(lambda t: t.update({"model.extra": torch.ones(2)})), "unexpected keys .*extra"),
    ],
)
def test_an_unsuitable_folder_is_reported(
    model_folder: Callable[[str], Path], tmp_path: Path, edit: Edit, message: str, kind: str
) -> None:
    folder = edited_copy(model_folder(kind), tmp_path / "model", edit)
    with pytest.raises(CodecError, match=message):
        load(folder, kind)


@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        ("qwen2_vl", edit_config(tie_word_embeddings=None)),
        ("qwen2_5_vl", edit_config(tie_word_embeddings=False)),
        *((kind, edit_weights(lambda t: t.pop("lm_head.weight"))) for kind in UNTIED),
    ],
)
def test_a_missing_output_layer_is_an_error(
    model_folder: Callable[[str], Path], tmp_path: Path, kind: str, edit: Edit
) -> None:
    folder = edited_copy(model_folder(kind), tmp_path / "model", edit)
    with pytest.raises(CodecError, match=r"missing keys lm_head\.weight"):
        load(folder, kind)


@pytest.mark.parametrize("kind", ["got_ocr2", "qwen2_5_vl", "qwen2_vl"])
def test_a_tied_output_layer_is_the_embedding_table(loaded: Loaded, kind: str) -> None:
    network = loaded(kind).network
    assert network.lm_head.weight.data_ptr() == network.get_input_embeddings().weight.data_ptr()


def test_an_untied_output_layer_must_match_the_configuration(
    model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    other = edit_weights(lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"] + 1}))
    with pytest.raises(CodecError, match="is not tied to the embedding table"):
        load(edited_copy(model_folder("qwen2_vl"), tmp_path / "other", other), "qwen2_vl")
    same = edit_weights(lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].clone()}))
    assert load(edited_copy(model_folder("qwen2_vl"), tmp_path / "same", same), "qwen2_vl").context_length == 16384


def test_an_encoder_for_another_image_size_is_rejected(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    fields = json.loads((model_folder("got_ocr2") / "config.json").read_text())["vision_config"]
    folder = edited_copy(
        model_folder("got_ocr2"), tmp_path / "m", edit_config(vision_config={**fields, "image_size": 512})
    )
    with pytest.raises(CodecError, match="does not take images of 1024 px"):
        load(folder, "got_ocr2")


@pytest.mark.parametrize("kind", KINDS)
def test_codecs_open_by_name(model_folder: Callable[[str], Path], kind: str) -> None:
    name = KINDS[kind].name
    options = VisionOptions(model=str(model_folder(kind)))
    codec = load_codec(name, "cpu", options=options)
    assert isinstance(codec, VisionCodec)
    assert codec.name == name
    tier = next(iter(codec.tiers.values()))
    channels = codec.model.shape(tier.name)[2]
    assert (tier.dtype, tier.bytes_per_token) == ("bfloat16", 2 * channels)


def preprocessor(name: str = "preprocessor_config.json", **fields: object) -> Edit:
    return lambda folder: (folder / name).write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("kind", "edit", "sides"),
    [
        ("qwen2_vl", preprocessor(min_pixels=3136, max_pixels=1605632), (1260, 1036, 644, 504)),
        ("qwen2_vl", preprocessor(min_pixels=3136, max_pixels=12845056), (1288, 1036, 644, 504)),
        ("qwen2_5_vl", preprocessor(size={"shortest_edge": 600 * 600, "longest_edge": 10**7}), (1288, 1036, 644, 616)),
        ("qwen2_5_vl", preprocessor(size={"shortest_edge": 3136, "longest_edge": 700 * 700}), (None, 700, 644, 504)),
        (
            "qwen2_5_vl",
            preprocessor("processor_config.json", image_processor={"max_pixels": 700 * 700}),
            (None, 700, 644, 504),
        ),
    ],
)
def test_sides_are_within_the_limits_of_the_published_processor(
    model_folder: Callable[[str], Path], tmp_path: Path, kind: str, edit: Edit, sides: tuple[int | None, ...]
) -> None:
    """Where two tiers would have the same side, the lower one has it."""
    model = load(edited_copy(model_folder(kind), tmp_path / "model", edit), kind)
    assert tuple(model.tiers.get(tier) for tier in ("large", "base", "small", "tiny")) == sides
    assert "micro" not in model.tiers


def test_pixels_are_normalised_as_the_published_processor_says(
    model_folder: Callable[[str], Path], loaded: Loaded, tmp_path: Path
) -> None:
    grey = Image.new("L", (28, 28), 255)
    edit = preprocessor(image_mean=[0.5] * 3, image_std=[0.25] * 3)
    model = load(edited_copy(model_folder("qwen2_vl"), tmp_path / "model", edit), "qwen2_vl")
    assert float(model.pixels([grey]).max()) == pytest.approx(2.0)
    assert float(loaded("qwen2_vl").pixels([grey])[0, 0, 0, 0]) == pytest.approx(1.93, abs=0.01)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (preprocessor(image_mean=[0.5]), "1 channels, expected 3"),
        (preprocessor(max_pixels="many"), "is invalid"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("<html>"), "cannot be read"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("[]"), "does not describe a processor"),
    ],
)
def test_an_invalid_processor_is_reported(
    model_folder: Callable[[str], Path], tmp_path: Path, edit: Edit, message: str
) -> None:
    with pytest.raises(CodecError, match=message):
        load(edited_copy(model_folder("qwen2_vl"), tmp_path / "model", edit), "qwen2_vl")
