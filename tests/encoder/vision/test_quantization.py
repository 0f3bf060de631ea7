"""Vision tokens as bytes and back."""

import pytest
import torch

from foxing.encoder import VisionTokens
from foxing.encoder.tokens import SCALED_NUMBERS, bytes_of
from foxing.encoder.vision.quantization import from_tokens, to_bytes


def restored(features: torch.Tensor, dtype: str) -> torch.Tensor:
    """`features` after storage in `dtype`."""
    rows, columns, channels = features.shape
    return from_tokens(VisionTokens("c", "w", "tiny", (rows, columns, channels), dtype, to_bytes(features, dtype)))


@pytest.mark.parametrize("channels", [1, 32, 127, 128, 130, 1280])
def test_int8_rounds_to_the_nearest_step_of_a_run(channels: int) -> None:
    generator = torch.Generator().manual_seed(channels)
    features = torch.randn(3, 5, channels, generator=generator) * torch.rand(3, 5, 1, generator=generator) * 50
    error = (restored(features, "int8") - features).abs()
    for run, run_error in zip(features.split(SCALED_NUMBERS, -1), error.split(SCALED_NUMBERS, -1), strict=True):
        step = run.abs().amax(-1, keepdim=True) / 127
        assert bool((run_error <= step * 0.5001).all())
    assert len(to_bytes(features, "int8")) == 15 * bytes_of("int8", channels)


def test_int8_runs_of_different_magnitude_are_independent() -> None:
    generator = torch.Generator().manual_seed(0)
    small, large = torch.randn(2, 2, 128, generator=generator), torch.randn(2, 2, 128, generator=generator) * 1000
    both = restored(torch.cat([small, large], -1), "int8")
    assert float((both[..., :128] - small).abs().max()) < 0.02


def test_int8_handles_zeros_and_non_finite_values() -> None:
    assert restored(torch.zeros(1, 2, 200), "int8").tolist() == torch.zeros(1, 2, 200).tolist()
    extreme = torch.tensor([[[float("inf"), -1.0, float("nan"), 3e38]]])
    back = restored(extreme, "int8")
    assert bool(back.isfinite().all())
    assert float(back[0, 0, 0]) > 9e37
    assert restored(torch.tensor([[[1e-40, -1e-40]]]), "int8").abs().max() < 1e-37


def test_cropped_int8_tokens_have_the_cropped_values() -> None:
    features = torch.randn(6, 4, 130, generator=torch.Generator().manual_seed(1))
    tokens = VisionTokens("c", "w", "tiny", (6, 4, 130), "int8", to_bytes(features, "int8"))
    assert torch.equal(from_tokens(tokens.crop(2, 5)), from_tokens(tokens)[2:5])
    assert from_tokens(VisionTokens.from_bytes(tokens.to_bytes())).equal(from_tokens(tokens))


def test_values_beyond_the_range_of_a_dtype_are_clamped() -> None:
    features = torch.tensor([[[1000.0, -1000.0, 1.0]]])
    data = to_bytes(features, "float8_e4m3")
    tokens = VisionTokens("c", "w", "tiny", (1, 1, 3), "float8_e4m3", data)
    assert from_tokens(tokens).tolist() == [[[448.0, -448.0, 1.0]]]
