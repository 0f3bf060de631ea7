"""Options of the proxy."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ProxyOptions:
    """Upstream and bank of a proxy, and its limits."""

    #: Base URL of the provider, with or without `/v1`.
    upstream: str = field(repr=False)
    bank: str = "main"
    #: Maximum number of tokens to send; None for what the window of the model of a request allows.
    budget: int | None = None
    #: Name of the reader; by default the model that a request names, and a text-only reader for unknown ones.
    reader: str | None = None
    #: Address on which the proxy listens. Without a key, requests must name it or this machine as their host.
    host: str = "127.0.0.1"
    #: Key that requests must send in `x-foxing-key`; None for none.
    key: str | None = field(default=None, repr=False)
    #: Whether requests are only measured: they go out as they came, and nothing is stored.
    dry_run: bool = False
    #: Whether each turn is stored, not only those that are folded.
    remember: bool = True
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
    #: Limit on the pause between two pieces of a body, in seconds.
    body_s: float = 60.0
    #: Maximum number of websockets, and size of a message of theirs, in bytes.
    max_websockets: int = 200
    max_frame_bytes: int = 16 << 20  # 32 MiB take 0.1 s of the event loop
