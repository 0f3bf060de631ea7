"""Effect of quantised vision tokens on the logits of the decoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL.Image import Image, Resampling
from torch import Tensor

from foxing.encoder.capabilities import StorageEffect
from foxing.encoder.tokens import VisionTokens

from .models.model import FREE_OCR, PageFeatures, VisionModel
from .quantization import STORAGE_DTYPES, from_tokens, to_bytes

#: Storage dtypes compared with float32.
DTYPES = tuple(dtype for dtype in STORAGE_DTYPES if dtype != "float32")


@dataclass(frozen=True)
class _Reference:
    """Reference: the text of a page, decoded from unquantised vision tokens."""

    #: float32 [rows, columns, channels].
    features: Tensor
    #: Token ids of the text.
    ids: list[int]
    #: float32 [len(ids), vocabulary].
    logits: Tensor


@torch.inference_mode()
def storage_effects(
    model: VisionModel,
    images: Sequence[Image],
    texts: Sequence[str],
    tier: str,
    dtypes: Sequence[str] = DTYPES,
    max_steps: int = 512,
) -> list[StorageEffect]:
    """Measures the effect of each of `dtypes` with teacher forcing, so that each step compares the same context.

    `images`: pages at `tier`; `texts`: their texts; `max_steps`: maximum number of tokens of each text. The caller must
    have exclusive use of the model. Raises `ValueError` unless every image has a non-empty text.
    """
    tokenized = [model.tokenize(text)[:max_steps] for text in texts]
    if not images or len(images) != len(tokenized) or not all(tokenized):
        raise ValueError("storage effects are measured on pages with their texts, none of them empty")
    references = [_reference(model, image, tier, ids) for image, ids in zip(images, tokenized, strict=True)]
    return [_effect(model, tier, dtype, references) for dtype in dtypes]


def _reference(model: VisionModel, image: Image, tier: str, ids: list[int]) -> _Reference:
    side = model.side_px(tier)
    pixels = model.pixels([image.convert("L").resize((side, side), Resampling.BICUBIC)])
    features = model.image_features(pixels, tier)[0].float()
    return _Reference(features, ids, _logits(model, features, tier, ids))


def _effect(model: VisionModel, tier: str, dtype: str, references: Sequence[_Reference]) -> StorageEffect:
    largest = total = same = 0.0
    n_logits = steps = n_bytes = 0
    for reference in references:
        data = to_bytes(reference.features, dtype)
        stored = from_tokens(VisionTokens(model.name, "", tier, model.shape(tier), dtype, data))
        logits = _logits(model, stored, tier, reference.ids)
        change = (logits - reference.logits).abs()
        largest = max(largest, float(change.max()))
        total += float(change.double().sum())
        same += float((logits.argmax(-1) == reference.logits.argmax(-1)).sum())
        n_logits += change.numel()
        steps += len(reference.ids)
        n_bytes = len(data)
    spread = float(torch.cat([reference.logits for reference in references]).std())
    return StorageEffect(dtype, n_bytes, largest, total / n_logits, spread, same / steps, steps)


def _logits(model: VisionModel, features: Tensor, tier: str, text_ids: list[int]) -> Tensor:
    """Returns the logits that predict each of `text_ids`: float32 [len(text_ids), vocabulary]."""
    before, after = model.prompt_ids(model.prompt(FREE_OCR))
    row = before + [model.image_token_id] * model.positions(tier) + after + text_ids[:-1]
    ids = torch.tensor([row], device=model.device)
    inputs = model.inputs([PageFeatures(tier, features)], ids)
    out = model.network(
        input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, logits_to_keep=len(text_ids), **inputs
    )
    return out.logits[0].float()  # type: ignore[no-any-return]
