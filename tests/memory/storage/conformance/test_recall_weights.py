"""What recall counts, in every dialect."""

from datetime import timedelta

import pytest

from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import recall_weights, sizes
from foxing.memory.storage.repositories.recall_weights import HALF_LIFE

from .conftest import NOW, insert_messages


def test_weights_add_up_and_lose_half_of_their_worth(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        first, second, third = insert_messages(connection, bank_id, "a", "b\0", "c")
        one = recall_weights.weight_at(NOW)
        assert recall_weights.add(connection, bank_id, {"a": one, "b\0": one / 2, "nobody": one}) == 2
    with database.write() as connection:
        assert recall_weights.add(connection, bank_id, {"a": 2 * recall_weights.weight_at(NOW + HALF_LIFE)}) == 1
        assert recall_weights.add(connection, bank_id, {}) == 0
    with database.read() as connection:
        ids = [first, second, third]
        now = recall_weights.strengths(connection, bank_id, ids, NOW + HALF_LIFE)
        later = recall_weights.strengths(connection, bank_id, ids, NOW + 2 * HALF_LIFE)
        assert now == pytest.approx({first: 2.5, second: 0.25})
        assert later == pytest.approx({first: 1.25, second: 0.125})
        metadata = sizes.totals(connection, [bank_id, bank_id + 1])["metadata"]
        thread = 2 * len("main") + sizes.THREAD_ROW_BYTES
        assert (metadata[bank_id], metadata[bank_id + 1]) == (2 * recall_weights.ROW_BYTES + thread, 0)


def test_weights_of_all_times_can_be_held(database: Database, bank_id: int) -> None:
    with database.write() as connection:
        (message_id,) = insert_messages(connection, bank_id, "a")
        for years in (-2020, -300, 0, 300, 7900):
            at = NOW + timedelta(days=365 * years) if years > -2020 else NOW.replace(year=1)
            recall_weights.add(connection, bank_id, {"a": recall_weights.weight_at(at)})
        held = recall_weights.strengths(connection, bank_id, [message_id], NOW + timedelta(days=365 * 7900))
        assert held[message_id] == pytest.approx(2)  # of the two farthest ones, which count as one time
