"""Hyperparameters and schedule of the training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PhaseName = Literal["encoder", "decoder", "joint"]


class Phase(NamedTuple):
    """A point in the training schedule."""

    name: PhaseName
    #: Completed share of the phase, 0…1.
    progress: float


@dataclass(frozen=True)
class TrainingOptions:
    """Options of the training, which has three phases. In the encoder phase the encoder learns alone, by classifying
    the cells that its vision tokens show. The decoder phase adds text generation and reuses encoded batches, since
    encoding costs more than decoding. In the joint phase every batch is new."""

    #: Total training time, over all runs that resume each other.
    minutes: float = 60.0
    #: Share of the time at which the encoder phase ends.
    encoder_until: float = 0.2
    #: Share of the time at which the decoder phase ends.
    decoder_until: float = 0.85
    muon_rate: float = 5e-3
    adam_rate: float = 2e-3
    #: At the start of each phase.
    warmup_steps: int = 30
    #: Share of the learning rates at which the joint phase starts.
    joint_rate: float = 0.3
    weight_decay: float = 0.01
    #: Image area per step.
    megapixels: float = 2.2
    #: Encoded batches that are kept for reuse.
    replay_batches: int = 150
    #: Share of the decoder phase's steps that take a new batch.
    fresh_share: float = 0.3
    #: Share of the pages that cannot be read: noise, or words of unknown characters.
    unreadable_share: float = 0.04
    #: Share of the pages on which a fifth of the words are random strings.
    random_strings_share: float = 0.15
    #: Share of the images that are shifted and noised slightly.
    augmented_share: float = 0.25
    evaluate_every_s: float = 420.0
    #: Pages per tier and evaluation.
    held_out_pages: int = 8
    seed: int = 1
    #: Share of the batches by tier.
    tiers: Mapping[str, float] = field(
        default_factory=lambda: {"tiny": 0.27, "small": 0.33, "base": 0.22, "large": 0.18}
    )

    def phase(self, progress: float) -> Phase:
        """Returns the phase at `progress` (0…1) of the training."""
        if progress < self.encoder_until:
            return Phase("encoder", progress / self.encoder_until)
        if progress < self.decoder_until:
            return Phase("decoder", (progress - self.encoder_until) / (self.decoder_until - self.encoder_until))
        return Phase("joint", (progress - self.decoder_until) / (1 - self.decoder_until))

    def rate(self, phase: Phase) -> float:
        """Returns the factor of the learning rates, 0…1, without warm-up."""
        if phase.name == "joint":
            return self.joint_rate * (1 - phase.progress) + 0.01
        return 1.0 if phase.name == "encoder" else min(1.0, 2 * (1 - phase.progress) + self.joint_rate)
