"""Options of the proxy."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ProxyOptions:
    """Upstream and bank of a proxy, and its limits."""

    #: Base URL of the provider, with or without `/v1`.
    upstream: str = field(repr=False)
    bank: str = "main"
    #: Maximum number of tokens to send.
    budget: int = 60_000
    #: Name of the reader; by default the model that a request names, and a text-only reader for unknown ones.
    reader: str | None = None
    #: Key that requests must send in `x-foxing-key`; None for none.
    key: str | None = field(default=None, repr=False)
    #: Whether requests are only measured: they go out as they came, and nothing is stored.
    dry_run: bool = False
    #: Whether each turn is stored, not only those that are folded.
    remember: bool = True
    #: Whether the provider counts the tokens of the original of a folded request.
    count: bool = True
    #: Name of the memory with the bank, under which the journal knows turns.
    memory: str = ""
    #: File in which turns wait for the bank; None for one in memory.
    journal: Path | None = None
    #: Limit on what the bank may take to show that it answers, and to fold, in seconds.
    probe_s: float = 0.005
    fold_s: float = 10.0
    #: Pause in which a bank that failed is not asked, in seconds.
    pause_s: float = 1.0
    #: Maximum size of the body of a conversation, in bytes; other bodies are passed on in pieces.
    max_body_bytes: int = 64 << 20
    #: Limits on connecting to the upstream, and on its silence, in seconds.
    connect_s: float = 10.0
    read_s: float = 900.0
