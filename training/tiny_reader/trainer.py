"""Losses and optimizers of the network."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor, nn

from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.model import FREE_OCR

from .batches import IGNORED, Batch
from .cell_classifier import CellClassifier, cell_centers
from .options import TrainingOptions
from .synthetic_pages import TINY_PAGE

#: Decoder layer with supervised attention, and the number of its supervised heads.
POINTING_LAYER, POINTING_HEADS = 1, 2
#: Name parts of the matrices that Muon optimizes.
_MUON_MODULES = ("_proj", "qkv", "attn.proj", "fc1", "fc2", "lin1", "lin2")


class CellLosses(NamedTuple):
    """Cross-entropies of the cell classifier, in nats per cell."""

    from_tokens: Tensor
    from_patches: Tensor


class TextLosses(NamedTuple):
    """Losses of the decoder."""

    #: Cross-entropy of the text, in nats per token.
    text: Tensor
    #: Cross-entropy of where the pointing heads attend, in nats per character.
    pointing: Tensor


class TrainerState(TypedDict):
    """State from which training resumes."""

    network: dict[str, Any]
    cell_classifier: dict[str, Any]
    optimizers: list[dict[str, Any]]


class _Optimizer(NamedTuple):
    optimizer: torch.optim.Optimizer
    #: Learning rate at factor 1.
    rate: float


class Trainer:
    """Trains a network together with its auxiliary cell classifier."""

    def __init__(self, model: DeepSeekOcr, options: TrainingOptions) -> None:
        self.network = model.network
        config, sam = self.network.config, self.network.model.vision_tower.sam_encoder
        self.cell_classifier = CellClassifier(int(config.text_config.hidden_size), int(sam.config.output_channels))
        #: Latest outputs of the modules in `_record_activations`.
        self._activations: dict[str, Tensor] = {}
        self._record_activations()
        named = [*self.network.named_parameters(), *self.cell_classifier.named_parameters()]
        trainable = {name: parameter for name, parameter in named if parameter.requires_grad}
        self.parameters = list(trainable.values())
        self._optimizers = _optimizers(trainable, options)
        before, after = model.prompt_ids(model.prompt(FREE_OCR))
        self._before, self._after = torch.tensor(before), torch.tensor(after)

    def _record_activations(self) -> None:
        attention = self.network.model.language_model.layers[POINTING_LAYER].self_attn
        recorded = {
            "patches": self.network.model.vision_tower.sam_encoder.neck,
            "queries": attention.q_proj,
            "keys": attention.k_proj,
        }
        for name, module in recorded.items():
            module.register_forward_hook(partial(self._record, name))

    def _record(self, name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._activations[name] = output

    def encode(self, batch: Batch) -> Tensor:
        """Returns the output of the encoder before projection, one row per 64×64 px: float [B, side², channels]."""
        features: Tensor = self.network.model.vision_tower(batch.pixels).last_hidden_state
        return features

    def cell_losses(self, features: Tensor, batch: Batch) -> CellLosses:
        """Returns the losses of the cell classifier. `features`: the result of the latest `encode`."""
        side = math.isqrt(features.shape[1])
        tokens = self.network.model.multi_modal_projector(features).unflatten(1, (side, side))
        cells = batch.cells.flatten()
        from_tokens, from_patches = (
            nn.functional.cross_entropy(logits.float().flatten(0, 2), cells)
            for logits in self.cell_classifier(tokens, self._activations["patches"])
        )
        return CellLosses(from_tokens, from_patches)

    def text_losses(self, features: Tensor, batch: Batch) -> TextLosses:
        """Returns the losses of the decoder. `features`: the result of `encode` for `batch`."""
        side = math.isqrt(features.shape[1])
        inputs = self._decoder_inputs(features, batch, side)
        states = self.network.model.language_model(inputs_embeds=inputs, use_cache=False).last_hidden_state
        logits = self.network.lm_head(states[:, -batch.text.shape[1] :])
        text = nn.functional.cross_entropy(logits.float().flatten(0, 1), batch.text.flatten(), ignore_index=IGNORED)
        return TextLosses(text, self._pointing_loss(batch, side))

    def _decoder_inputs(self, features: Tensor, batch: Batch, side: int) -> Tensor:
        """Embeddings of the prompt, the page and its text but the last token: float [B, length, channels]."""
        network, count = self.network.model, len(features)
        tokens = network.multi_modal_projector(features).unflatten(1, (side, side))
        newlines = network.image_newline.expand(count, side, 1, -1)
        image = torch.cat([tokens, newlines.to(tokens.dtype)], dim=2).flatten(1, 2)
        separator = network.view_separator.expand(count, 1, -1)
        embed = network.language_model.embed_tokens
        before, after = (embed(ids).expand(count, -1, -1) for ids in (self._before, self._after))
        text = embed(batch.text[:, :-1].clamp(min=0))
        return torch.cat([before, image.to(text.dtype), separator, after, text], dim=1)

    def _pointing_loss(self, batch: Batch, side: int) -> Tensor:
        """Cross-entropy of the pointing heads' attention to the vision token at the centre of the next cell, in nats
        per character."""
        scores = self._pointing_scores(batch.text.shape[1] - 1)
        y, x = cell_centers(side)
        cell = batch.cell_indices[:, 1:].clamp(min=0)
        row, column = y.long()[cell // TINY_PAGE.columns], x.long()[cell % TINY_PAGE.columns]
        target = len(self._before) + row * (side + 1) + column
        target = target.masked_fill(batch.cell_indices[:, 1:] < 0, IGNORED)[..., None].expand(-1, -1, POINTING_HEADS)
        loss = nn.functional.cross_entropy(
            scores.flatten(0, 1), target.flatten(0, 1), ignore_index=IGNORED, reduction="sum"
        )
        return loss / (target != IGNORED).sum().clamp(min=1)  # a batch of noise has no characters

    def _pointing_scores(self, steps: int) -> Tensor:
        """Causal attention logits of the pointing heads at the last `steps` positions: float32[B, steps, length,
        heads]."""
        from transformers.models.unlimited_ocr.modeling_unlimited_ocr import apply_rotary_pos_emb

        decoder = self.network.model.language_model
        count, length = self._activations["queries"].shape[:2]
        queries, keys = (
            self._activations[name].float().view(count, length, decoder.config.num_attention_heads, -1).transpose(1, 2)
            for name in ("queries", "keys")
        )
        cos, sin = decoder.rotary_emb(queries, position_ids=torch.arange(length)[None])
        queries, keys = apply_rotary_pos_emb(queries, keys, cos, sin)
        queries, keys = queries[:, :POINTING_HEADS, length - steps :], keys[:, :POINTING_HEADS]
        scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
        later = torch.arange(length) > torch.arange(length - steps, length)[:, None]
        masked: Tensor = scores.masked_fill(later, -torch.inf)
        return masked.permute(0, 2, 3, 1)

    def step(self, loss: Tensor, factor: float) -> None:
        """Takes one optimizer step on `loss`, with the learning rates times `factor`."""
        for optimizer, rate in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer, _ in self._optimizers:
            optimizer.step()

    def state(self) -> TrainerState:
        """Returns the state from which `resume` continues."""
        return {
            "network": self.network.state_dict(),
            "cell_classifier": self.cell_classifier.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer, _ in self._optimizers],
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restores a state from `state`."""
        self.network.load_state_dict(state["network"])
        self.cell_classifier.load_state_dict(state["cell_classifier"])
        for (optimizer, _), saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def _optimizers(parameters: Mapping[str, nn.Parameter], options: TrainingOptions) -> tuple[_Optimizer, ...]:
    """Muon for the matrices of attention and MLPs, AdamW for all other parameters."""
    matrices = {name: p for name, p in parameters.items() if p.ndim == 2 and any(m in name for m in _MUON_MODULES)}
    others = [p for name, p in parameters.items() if name not in matrices]
    muon = torch.optim.Muon(
        list(matrices.values()),
        lr=options.muon_rate,
        weight_decay=options.weight_decay,
        momentum=0.95,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(others, lr=options.adam_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return _Optimizer(muon, options.muon_rate), _Optimizer(adam, options.adam_rate)
