"""Measuring a bank: how fast its pages are sealed and age, and what the database holds of a character at each tier."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any

import zstandard

from foxing.memory.memory import Memory
from foxing.memory.models import BankBytes, Value
from foxing.memory.policy import Policy, Step

Progress = Callable[[int, int], None]
STEPS = ("small", "tiny", "micro")
OLD_ENOUGH = timedelta(days=1)  # for every step, also of messages that are dated now
#: What ageing drops goes at once, so that only what the tier needs is counted.
NO_UNDO = timedelta(0)


class BankRow(Value):
    """A bank with all of its pages at one tier. Bits are those of one character of its messages; `pages_per_second` is
    of sealing them (at the fresh tier, where exact text is kept as well) or of ageing them from the tier before,
    encoding, decoding, indexing and the database included."""

    language: str
    tier: str
    pages: int
    messages: int
    characters: int
    pages_per_second: float
    token_bits: float
    text_bits: float
    index_bits: float
    keepsake_bits: float
    metadata_bits: float
    total_bits: float
    zstd_bits: float


def bench_bank(
    memory: Memory, bank: str, language: str, messages: Sequence[Mapping[str, Any]], progress: Progress | None = None
) -> list[BankRow]:
    """Fills `bank` with `messages`, which are of `language`, seals it, and ages it tier by tier through what it can
    still decode. A row for the fresh tier and for each tier after it. Beside it zstd -19 over all contents at once."""
    contents = [str(message["content"]) for message in messages]
    characters = max(1, sum(map(len, contents)))
    zstd_bytes = len(zstandard.ZstdCompressor(level=19).compress("\n".join(contents).encode(errors="surrogatepass")))
    _ = memory.codec  # its loading is not timed
    memory.store(bank, messages)
    fresh = memory.policy(bank).served_by(memory.codec.tiers).fresh
    steps: list[str] = [fresh, *(tier for tier in STEPS if tier in memory.codec.tiers and tier != fresh)]
    late = memory.now() + OLD_ENOUGH
    rows = []
    for number, tier in enumerate(steps):
        if number:
            step = Step.model_validate({"after": timedelta(seconds=1), "tier": tier})
            memory.set_policy(bank, Policy(steps=(step,), undo_window=NO_UNDO))
        begun = perf_counter()
        if number:
            memory.age(bank, now=late)
        else:
            memory.seal(bank)
        seconds = perf_counter() - begun
        info = memory.bank(bank)
        rows.append(
            BankRow(
                language=language,
                tier=tier,
                pages=info.pages,
                messages=info.messages,
                characters=characters,
                pages_per_second=info.pages / seconds,
                zstd_bits=zstd_bytes * 8 / characters,
                **_bits(info.bytes, characters),
            )
        )
        if progress is not None:
            progress(number + 1, len(steps))
    return rows


def _bits(held: BankBytes, characters: int) -> dict[str, float]:
    return {
        "token_bits": held.tokens * 8 / characters,
        "text_bits": held.text * 8 / characters,
        "index_bits": held.index * 8 / characters,
        "keepsake_bits": held.keepsakes * 8 / characters,
        "metadata_bits": held.metadata * 8 / characters,
        "total_bits": held.total * 8 / characters,
    }
