"""A bank that disappears while it is used."""

from pathlib import Path

from foxing.memory import Memory


def delete_bank(database: Path, bank: str) -> None:
    """Deletes a bank with all it holds, as another process would."""
    with Memory(database) as memory:
        memory.erase_bank(bank)
