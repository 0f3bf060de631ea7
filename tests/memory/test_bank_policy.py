"""Setting a bank's policy, which creates the bank if there is none."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from foxing.memory import InvalidInput, InvalidPolicy, Memory, NotFound, Policy
from foxing.memory.storage.database import Database
from foxing.memory.storage.repositories import banks

CREATED = datetime(2026, 3, 2, tzinfo=UTC)
MESSAGE = {"role": "user", "content": "hello"}


def test_a_policy_is_set_before_the_first_message(database_url: str) -> None:
    with Memory(database_url, clock=lambda: CREATED) as memory:
        with pytest.raises(NotFound, match="'ana'"):
            memory.policy("ana")
        policy = memory.set_policy("ana", {"keep_text": "always"})
        assert memory.policy("ana") == policy
        assert (memory.bank("ana").messages, memory.bank("ana").created_at) == (0, CREATED)
        assert memory.seal("ana").pages == []
        memory.store("ana", [MESSAGE])
        assert memory.policy("ana").keep_text == "always"


def test_an_invalid_name_or_policy_creates_no_bank(database_url: str) -> None:
    with Memory(database_url) as memory:
        for name in ("", "a/b", "x" * 201):
            with pytest.raises(InvalidInput, match="bank's name"):
                memory.set_policy(name, Policy())
        with pytest.raises(InvalidPolicy):
            memory.set_policy("ana", {"keep_text": "sometimes"})
        assert memory.banks().banks == []


def test_threads_that_create_a_bank_at_the_same_time_create_one(database_url: str) -> None:
    with Memory(database_url) as one, Memory(database_url) as other, ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(one.set_policy, "ana", {"keep_text": "always"}) for _ in range(4)]
        stores = [pool.submit(other.store, "ana", [MESSAGE]) for _ in range(4)]
        assert {run.result().keep_text for run in runs} == {"always"}
        assert sum(run.result().stored for run in stores) == 4
        assert [(bank.id, bank.messages) for bank in one.banks().banks] == [("ana", 4)]
        assert one.policy("ana").keep_text == "always"


def test_a_bank_that_another_process_creates_meanwhile_is_used(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(database_url, clock=lambda: CREATED) as memory:
        memory.store("ana", [MESSAGE])
    answers = iter([None])
    find = banks.find
    monkeypatch.setattr(banks, "find", lambda connection, name: next(answers, find(connection, name)))
    database = Database(database_url)
    with database.write() as connection:
        bank = banks.get_or_create(connection, "ana", CREATED, {})
    database.close()
    assert bank.policy == Policy().model_dump(mode="json")


@pytest.mark.slow
def test_an_unknown_bank_is_told_apart_from_a_misspelled_one(database_url: str) -> None:
    with Memory(database_url) as memory:
        for name in ("agent-7", "agent-eight", "notes.of.ana", *(f"customer-{number}" for number in range(300))):
            memory.set_policy(name, {})
        for wrong, meant in (("agnet-7", "agent-7"), ("agent7", "agent-7"), ("notes.of.Anna", "notes.of.ana")):
            with pytest.raises(NotFound, match=f"there is no bank '{wrong}'; did you mean '{meant}'"):
                memory.seal(wrong)
            assert f"did you mean '{meant}'" in memory.recall(wrong, "hello").notes[0]
        with pytest.raises(NotFound, match="there is no bank 'workshop'; a bank is created with its first message"):
            memory.bank("workshop")
