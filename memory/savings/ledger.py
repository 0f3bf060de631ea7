"""The calls of a bank: records them, and sums what they were billed and what they would have been without folding."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime

from sqlalchemy import Connection

from foxing.memory.context.prices import CACHED
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks, model_calls
from foxing.memory.storage.repositories.model_calls import ModelCallRow
from foxing.memory.values.policy import default_fields
from foxing.memory.values.savings import (
    ModelCall,
    PricedCall,
    RecordedCalls,
    Savings,
    SavingsRow,
    SavingsSum,
    SavingsWindow,
)

from .original import billed_tokens, caches, original_tokens

_DECIMALS = 6  # of prices
#: Fields of a call that its row has under the same name.
_SAME = {field.name for field in fields(ModelCallRow)} & ModelCall.model_fields.keys()


class Ledger:
    """Records calls of models. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def record(self, bank: str, calls: Sequence[ModelCall], now: datetime) -> RecordedCalls:
        """Implements `Memory.record_model_calls`."""
        check_bank_name(bank)

        def write(connection: Connection) -> RecordedCalls:
            bank_id = banks.get_or_create(connection, bank, now, default_fields()).id
            recorded_ids = model_calls.known(connection, bank_id, [call.id for call in calls])
            last: dict[tuple[str, str], ModelCallRow | None] = {}
            rows: list[ModelCallRow] = []
            for call in calls:
                if call.id in recorded_ids:
                    continue
                recorded_ids.add(call.id)
                of = call.session, call.conversation
                before = last[of] if of in last else model_calls.last_of(connection, bank_id, *of)
                last[of] = row = _row(call, before)
                rows.append(row)
            if rows:
                model_calls.insert(connection, bank_id, rows)
            recorded = [PricedCall(id=row.key, billed=row.billed, original=row.original) for row in rows]
            return RecordedCalls(recorded=recorded, duplicates=len(calls) - len(rows))

        return self.database.repeatable(write)

    def savings(self, bank: str | None, window: SavingsWindow) -> Savings:
        """Implements `Memory.savings`."""
        if bank is not None:
            check_bank_name(bank)
        with self.database.read() as connection:
            bank_id = None if bank is None else banks.get(connection, bank).id
            span = window.since, window.until
            (total,) = model_calls.sums(connection, bank_id, None, *span)
            rows = model_calls.sums(connection, bank_id, window.by, *span)
        listed = rows[-window.limit :] if window.by == "day" else rows[: window.limit]
        return Savings(
            by=window.by,
            total=SavingsSum(**_summed(total)),
            rows=[SavingsRow(**_summed(row) | {"key": str(row["key"])}) for row in listed],
            left_out=len(rows) - len(listed),
        )


def _row(call: ModelCall, before: ModelCallRow | None) -> ModelCallRow:
    prices = call.prices or CACHED
    unfolded = not call.folded and not (before is not None and before.ever_folded)
    return ModelCallRow(
        **{name: getattr(call, name) for name in _SAME},
        key=call.id,
        day=call.called_at.astimezone(UTC).date(),
        ever_folded=not unfolded,
        caches=caches(call, before),
        counted=call.original_counted or not call.folded,
        billed=billed_tokens(call).price(prices),
        original=original_tokens(call, before).price(prices),
    )


def _summed(row: dict[str, object]) -> dict[str, object]:
    """Returns the fields of a sum. Sums over nothing are null in SQL."""
    sums = {name: 0 if value is None else value for name, value in row.items()}
    billed = float(str(sums["billed"]))
    original = float(str(sums["original"]))
    prices = {"billed": billed, "original": original, "saved": original - billed}
    return sums | {name: round(value, _DECIMALS) for name, value in prices.items()}
