"""What it does to store vision tokens in fewer bits, measured where it counts: in the logits of the decoder."""

from collections.abc import Sequence

import torch
from PIL.Image import Image, Resampling
from torch import Tensor

from foxing.encoder.capabilities import StorageEffect
from foxing.encoder.tokens import VisionTokens

from .model import READ, Given, VisionModel
from .quantization import STORED, from_tokens, to_bytes

#: What tokens of a model can be kept in, beside the 32 bits that the others are compared with.
DTYPES = tuple(dtype for dtype in STORED if dtype != "float32")


@torch.inference_mode()
def storage_effects(
    model: VisionModel,
    images: Sequence[Image],
    texts: Sequence[str],
    tier: str,
    dtypes: Sequence[str] = DTYPES,
    most_steps: int = 512,
) -> list[StorageEffect]:
    """The effect of each of `dtypes`. `images`: pages at `tier`; `texts`: what stands on them, which the decoder is
    made to write, `most_steps` tokens of each at most, so that every step compares like with like. Nothing else may run
    on the model meanwhile. Raises `ValueError` without a text for each image and a token in each text.
    """
    written = [model.ids(text)[:most_steps] for text in texts]
    if not images or len(images) != len(written) or not all(written):
        raise ValueError("the effect of storage is measured on pages with their texts, none of them empty")
    exact = [_seen(model, image, tier) for image in images]
    expected = [_logits(model, features, tier, ids) for features, ids in zip(exact, written, strict=True)]
    return [_effect(model, tier, dtype, exact, written, expected) for dtype in dtypes]


def _effect(
    model: VisionModel,
    tier: str,
    dtype: str,
    exact: Sequence[Tensor],
    written: Sequence[list[int]],
    expected: Sequence[Tensor],
) -> StorageEffect:
    largest = total = same = 0.0
    numbers = steps = n_bytes = 0
    for features, ids, before in zip(exact, written, expected, strict=True):
        data = to_bytes(features, dtype)
        stored = from_tokens(VisionTokens(model.name, "", tier, model.shape(tier), dtype, data))
        after = _logits(model, stored, tier, ids)
        change = (after - before).abs()
        largest = max(largest, float(change.max()))
        total += float(change.double().sum())
        same += float((after.argmax(-1) == before.argmax(-1)).sum())
        numbers += change.numel()
        steps += len(ids)
        n_bytes = len(data)
    spread = float(torch.cat(list(expected)).std())
    return StorageEffect(dtype, n_bytes, largest, total / numbers, spread, same / steps, steps)


def _seen(model: VisionModel, image: Image, tier: str) -> Tensor:
    """Vision tokens of a page: float32 [rows, columns, numbers]."""
    side = model.side_px(tier)
    return model.look(model.pixels([image.convert("L").resize((side, side), Resampling.BICUBIC)]), tier)[0].float()


def _logits(model: VisionModel, features: Tensor, tier: str, written: list[int]) -> Tensor:
    """float32 [steps, vocabulary], those out of which each token of `written` is chosen."""
    before, after = model.question(model.prompt(READ))
    line = before + [model.image_id] * model.positions(tier) + after + written[:-1]
    ids = torch.tensor([line], device=model.device)
    given = model.inputs([Given(tier, features)], ids)
    out = model.network(
        input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, logits_to_keep=len(written), **given
    )
    return out.logits[0].float()  # type: ignore[no-any-return]
