"""Tokens in fewer bits: what becomes of the numbers, and of the logits that a decoder makes of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from foxing.encoder import StorageEffect, VisionTokens
from foxing.encoder.conformance import sample_page
from foxing.encoder.tokens import SCALED_NUMBERS, bytes_of
from foxing.encoder.vision.checkpoint import locate
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.deepseek import DeepSeekOcr
from foxing.encoder.vision.got import GotOcr2
from foxing.encoder.vision.model import VisionModel
from foxing.encoder.vision.quantization import from_tokens, to_bytes
from foxing.encoder.vision.qwen import QwenVl
from foxing.encoder.vision.storage_effects import DTYPES, storage_effects
from foxing.renderer import PageLayout, render

KINDS: dict[str, tuple[type[VisionModel], str]] = {
    "deepseek": (DeepSeekOcr, "tiny"),
    "got_ocr2": (GotOcr2, "base"),
    "qwen2_5_vl": (QwenVl, "micro"),
    "qwen2_vl": (QwenVl, "micro"),
    "qwen3_vl": (QwenVl, "micro"),
}


def restored(features: torch.Tensor, dtype: str) -> torch.Tensor:
    rows, columns, numbers = features.shape
    return from_tokens(VisionTokens("c", "w", "tiny", (rows, columns, numbers), dtype, to_bytes(features, dtype)))


@pytest.mark.parametrize("numbers", [1, 32, 127, 128, 130, 1280])
def test_a_number_of_int8_is_off_by_half_a_step_of_its_run_at_most(numbers: int) -> None:
    generator = torch.Generator().manual_seed(numbers)
    features = torch.randn(3, 5, numbers, generator=generator) * torch.rand(3, 5, 1, generator=generator) * 50
    change = (restored(features, "int8") - features).abs()
    for run, off in zip(features.split(SCALED_NUMBERS, -1), change.split(SCALED_NUMBERS, -1), strict=True):
        step = run.abs().amax(-1, keepdim=True) / 127
        assert bool((off <= step * 0.5001).all())
    assert len(to_bytes(features, "int8")) == 15 * bytes_of("int8", numbers)


def test_parts_of_a_token_with_other_magnitudes_do_not_spoil_each_other() -> None:
    generator = torch.Generator().manual_seed(0)
    small, large = torch.randn(2, 2, 128, generator=generator), torch.randn(2, 2, 128, generator=generator) * 1000
    both = restored(torch.cat([small, large], -1), "int8")
    assert float((both[..., :128] - small).abs().max()) < 0.02


def test_int8_keeps_zeros_and_numbers_beyond_all_bounds() -> None:
    assert restored(torch.zeros(1, 2, 200), "int8").tolist() == torch.zeros(1, 2, 200).tolist()
    odd = torch.tensor([[[float("inf"), -1.0, float("nan"), 3e38]]])
    back = restored(odd, "int8")
    assert bool(back.isfinite().all())
    assert float(back[0, 0, 0]) > 9e37
    assert restored(torch.tensor([[[1e-40, -1e-40]]]), "int8").abs().max() < 1e-37


def test_a_cut_of_int8_tokens_is_the_cut_of_their_numbers() -> None:
    features = torch.randn(6, 4, 130, generator=torch.Generator().manual_seed(1))
    tokens = VisionTokens("c", "w", "tiny", (6, 4, 130), "int8", to_bytes(features, "int8"))
    assert torch.equal(from_tokens(tokens.crop(2, 5)), from_tokens(tokens)[2:5])
    assert from_tokens(VisionTokens.from_bytes(tokens.to_bytes())).equal(from_tokens(tokens))


@pytest.fixture(scope="module")
def measured(
    model_folder: Callable[[str], Path], deepseek_folder: Path, small_page: PageLayout
) -> Callable[[str], dict[str, StorageEffect]]:
    def measure(name: str) -> dict[str, StorageEffect]:
        kind, tier = KINDS[name]
        folder = deepseek_folder if name == "deepseek" else model_folder(name)
        model = kind.load(locate(str(folder), None), torch.device("cpu"), torch.float32)
        page = sample_page(VisionCodec(model, "w", layout=small_page))
        images = [render(np.roll(page.cells, shift, axis=1), page.layout, tier) for shift in (0, 1)]
        effects = storage_effects(model, images, [page.text] * 2, tier, ("float32", *DTYPES))
        return {effect.dtype: effect for effect in effects}

    return measure


@pytest.mark.parametrize("name", KINDS)
def test_storage_moves_logits_little_and_int8_less_than_float8(
    measured: Callable[[str], dict[str, StorageEffect]], name: str
) -> None:
    effects = measured(name)
    assert effects["float32"].largest == effects["float32"].mean == 0
    assert effects["float32"].same_choice == 1
    assert effects["float32"].steps > 40
    exact = effects["bfloat16"].bytes_per_page
    assert effects["float8_e4m3"].bytes_per_page * 2 == exact
    assert effects["float8_e4m3"].bytes_per_page < effects["int8"].bytes_per_page < 0.57 * exact
    assert 0 < effects["float16"].mean < effects["bfloat16"].mean < effects["int8"].mean < effects["float8_e4m3"].mean
    for effect in effects.values():
        assert effect.mean <= effect.largest
    assert effects["bfloat16"].mean < 0.02 * effects["bfloat16"].spread
    assert effects["int8"].mean < 0.05 * effects["int8"].spread
    assert effects["int8"].same_choice > 0.9


def test_the_effect_is_measured_on_pages_that_have_a_text(deepseek_folder: Path) -> None:
    model = DeepSeekOcr.load(locate(str(deepseek_folder), None), torch.device("cpu"), torch.float32)
    with pytest.raises(ValueError, match="with their texts"):
        storage_effects(model, [], [], "tiny")
