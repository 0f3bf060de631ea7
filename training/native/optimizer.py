"""Optimiser of the training: Muon for the matrices inside the network, AdamW for all other parameters."""

from typing import Any

import torch
from torch import nn

#: Modules whose weights map channels to channels. Stems, embeddings and heads use AdamW.
_INNER = (
    "encoder.local.",
    "encoder.compress.",
    "encoder.join.",
    "encoder.hint.",
    "encoder.first_hint.",
    "encoder.glyphs.shape.",
    "encoder.across.",
    "encoder.along.",
)


class MuonAdamW:
    """Muon and AdamW behind one interface, with a common schedule."""

    def __init__(self, model: nn.Module, muon_rate: float, adam_rate: float, weight_decay: float) -> None:
        #: Each parameter of Muon with a view of it as a matrix, which Muon requires.
        self._views: list[tuple[nn.Parameter, nn.Parameter]] = []
        rest: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            depthwise = parameter.ndim > 2 and parameter.shape[1] == 1
            if parameter.ndim >= 2 and not depthwise and any(part in name for part in _INNER):
                view = nn.Parameter(parameter.data.view(parameter.shape[0], -1))
                self._views.append((parameter, view))
            else:
                rest.append(parameter)
        self._max_rates = (muon_rate, adam_rate)
        self._muon = torch.optim.Muon(
            [view for _, view in self._views],
            lr=muon_rate,
            weight_decay=weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adam = torch.optim.AdamW(rest, lr=adam_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self._model = model

    def set_rate(self, share: float) -> None:
        """Sets both learning rates to `share` of their maximum."""
        for optimizer, rate in zip((self._muon, self._adam), self._max_rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share

    def zero_grad(self) -> None:
        """Clears the gradients of the model."""
        self._model.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Takes one step with both optimisers."""
        for parameter, view in self._views:
            view.grad = None if parameter.grad is None else parameter.grad.reshape(view.shape)
        self._muon.step()  # type: ignore[no-untyped-call]
        self._adam.step()

    def state_dict(self) -> dict[str, Any]:
        """Returns the state of both optimisers."""
        return {"muon": self._muon.state_dict(), "adam": self._adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores a state from `state_dict`."""
        self._muon.load_state_dict(state["muon"])
        self._adam.load_state_dict(state["adam"])
