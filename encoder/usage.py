"""What reading elsewhere costs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteUsage:
    """Since the codec was loaded. `requests`: all that were sent, retries included; `failures`: those of them without a
    usable answer; `pages`: that were read; `pages_failed`: that were given up; `seconds`: of requests, added up over
    those that ran at once; `cost`: in the currency of the prices."""

    requests: int = 0
    failures: int = 0
    pages: int = 0
    pages_failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cost: float = 0.0
