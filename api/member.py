"""One of the processes of a service, and what they share."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Member:
    """One of several processes that serve one address. What must happen once, such as ageing, or needs memory of
    earlier requests, such as the console, is done by the first."""

    #: Number of this process, from 1.
    number: int
    #: Base URL at which the first process listens alone.
    first_url: str = field(repr=False)
    #: Folder that the processes share, for as long as the service runs.
    folder: Path
    #: Token of the service in its announcement.
    token: str | None = field(default=None, repr=False)

    @property
    def is_first(self) -> bool:
        """True for the first process."""
        return self.number == 1

    @property
    def metrics_folder(self) -> Path:
        """Folder in which each process keeps its metrics in a file."""
        return self.folder / "metrics"

    @property
    def keys_stamp(self) -> Path:
        """File that a process touches when it has changed API keys."""
        return self.folder / "keys"
