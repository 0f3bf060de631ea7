"""What can be chosen about a codec that runs somebody else's model."""

from dataclasses import dataclass, field

from .remote.options import RemoteOptions


@dataclass(frozen=True)
class CodecOptions:
    """Each codec takes what concerns it. `remote`: where and how the codec 'remote' reads."""

    remote: RemoteOptions = field(default_factory=RemoteOptions)
