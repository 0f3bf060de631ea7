"""Options of a training run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from foxing.encoder.errors import CodecError


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training run; a recipe is a JSON object with some of them. All shares are relative."""

    #: Length of the run.
    minutes: float = 90.0
    #: Learning rate of Muon.
    muon_rate: float = 8e-3
    #: Learning rate of AdamW.
    adam_rate: float = 4e-3
    #: Steps over which the rates rise linearly.
    warmup_steps: int = 50
    #: Share of the run after which the rates fall linearly.
    decay_from: float = 0.15
    #: Weight decay of Muon.
    weight_decay: float = 0.01
    #: Strips in a batch.
    strips: int = 6
    #: Seed of the initial weights and of the training data.
    seed: int = 1
    #: Seconds between evaluations on held-out pages.
    evaluate_every_s: float = 480.0
    #: Share of the images that are shifted, blurred, noisy or compressed.
    augmented_share: float = 0.35
    #: Share of the images that are not pages at all.
    negative_share: float = 0.03
    #: Share of each tier.
    tier_shares: Mapping[str, float] = field(
        default_factory=lambda: {"large": 0.08, "base": 0.24, "small": 0.3, "tiny": 0.2, "micro": 0.18}
    )
    #: Share of each file of texts, by its name.
    text_shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "en_sgd": 0.08,
            "en_irc": 0.13,
            "en_tau_bench": 0.06,
            "en_swe_agent": 0.06,
            "en_aider": 0.04,
            "code_python": 0.06,
            "ko_nsmc": 0.12,
            "ko_songys": 0.02,
            "ko_tldr": 0.03,
            "ja_real_persona_chat": 0.07,
            "ja_tldr": 0.02,
            "zh_kdconv": 0.05,
            "zh_tldr": 0.03,
            "de_gesetze": 0.04,
            "de_tldr": 0.01,
            "fr_tldr": 0.025,
            "ru_tldr": 0.025,
        }
    )
    #: Share of each kind of synthetic text, by the name of a method of `SyntheticText`.
    drawn_shares: Mapping[str, float] = field(
        default_factory=lambda: {
            "identifiers": 0.035,
            "record": 0.05,
            "ascii": 0.025,
            "narrow": 0.04,
            "full_width": 0.025,
            "ideographs": 0.025,
            "hangul": 0.015,
            "chat": 0.16,
            "mixed": 0.05,
            "figure": 0.03,
            "formula": 0.03,
        }
    )

    @classmethod
    def from_recipe(cls, path: Path) -> Self:
        """Reads the options from a JSON file. Raises `CodecError` if it cannot be read or names an unknown option."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CodecError(f"the recipe {path.name} cannot be used: {error}") from error
