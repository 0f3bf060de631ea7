"""A bank of which much has faded, or will."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from foxing.memory import Memory, NewMessage, Policy, PolicyStep

from .texts import chat

BANK = "ana"
STARTS_AT = datetime(2026, 1, 5, 8, tzinfo=UTC)
DAY = timedelta(days=1)
#: An identifier stays whole.
WHOLE = NewMessage(id="whole", role="user", content="https://example.org/orders/7f3a91c2", created_at=STARTS_AT)


def make_sealed_bank(database: str | Path) -> None:
    """Stores a conversation that fills about a page, and seals it. Its policy moves it to `micro` after a day."""
    with Memory(database, clock=lambda: STARTS_AT + 3 * DAY) as memory:
        memory.store(BANK, [*chat(110, STARTS_AT), WHOLE])
        memory.seal(BANK)
        memory.set_policy(BANK, Policy(steps=(PolicyStep(after=DAY, tier="micro"),)))


def make_faded_bank(database: str | Path) -> None:
    """As `make_sealed_bank`; then the page moves to `micro`."""
    make_sealed_bank(database)
    with Memory(database, clock=lambda: STARTS_AT + 400 * DAY) as memory:
        memory.age(BANK)
