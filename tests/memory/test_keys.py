"""API keys: created, listed, revoked, rotated and checked, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from support.clock import Clock
from support.databases import execute

from foxing.memory import Access, Conflict, InvalidCursor, InvalidInput, KeyRequest, Memory, NotFound
from foxing.memory import keys as api_keys

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
MESSAGE = {"role": "user", "content": "Titan ships on 14 March."}

pytestmark = pytest.mark.both_databases


def test_a_key_is_created_listed_and_found_by_its_secret(database_url: str) -> None:
    with Memory(database_url, clock=Clock(NOW)) as memory:
        keys = memory.operations.keys
        assert not keys.live().required
        new = keys.create(KeyRequest(name="Ana's agent", role="read", banks=["a*", "shared"]))
        assert new.key.startswith(f"foxing_{new.id}_")
        (listed,) = keys.list().keys
        assert listed.model_dump() == {
            "id": new.id,
            "name": "Ana's agent",
            "role": "read",
            "banks": ["a*", "shared"],
            "created_at": NOW,
            "expires_at": None,
            "tenant": None,
            "last_used_at": None,
            "revoked_at": None,
            "requests_per_s": None,
            "recalls_at_once": None,
        }
        live = keys.live()
        assert live.required
        assert live.find(new.key, NOW) == listed
        for wrong in ("", "foxing", new.key[:-1], new.key + "x", new.key.replace("foxing", "other"), "foxing_0_\udcff"):
            assert live.find(wrong, NOW) is None


def test_the_database_holds_no_key(database_url: str) -> None:
    with Memory(database_url) as memory:
        secret = memory.operations.keys.create({"name": "n", "role": "admin"}).key.rpartition("_")[2]
        url = memory._database.url.render_as_string(hide_password=False)
        if url.startswith("sqlite"):
            assert memory._database.file is not None
            memory._database.purge_deleted()
            assert secret.encode() not in memory._database.file.read_bytes()
        else:
            assert secret not in str(execute(url, "SELECT * FROM api_keys"))


def test_a_key_expires(database_url: str) -> None:
    clock = Clock(NOW)
    with Memory(database_url, clock=clock) as memory:
        keys = memory.operations.keys
        new = keys.create({"name": "n", "role": "read", "expires_after": "PT1H"})
        assert new.expires_at == NOW + timedelta(hours=1)
        live = keys.live()
        assert live.find(new.key, NOW + timedelta(minutes=59)) is not None
        assert live.find(new.key, NOW + timedelta(hours=1)) is None
        clock.now += timedelta(hours=1)
        assert keys.live().find(new.key, NOW) is None
        with pytest.raises(Conflict, match="has expired"):
            keys.rotate(new.id)


def test_a_revoked_key_does_not_come_back_and_the_service_stays_closed(database_url: str) -> None:
    clock = Clock(NOW)
    with Memory(database_url, clock=clock) as memory:
        keys = memory.operations.keys
        new = keys.create({"name": "n", "role": "read"})
        assert keys.revoke(new.id).revoked_at == NOW
        clock.now += timedelta(hours=1)
        assert keys.revoke(new.id).revoked_at == NOW
        live = keys.live()
        assert live.find(new.key, NOW) is None
        assert live.required
        with pytest.raises(NotFound, match="'nobody'"):
            keys.revoke("nobody")


def test_a_key_is_rotated(database_url: str) -> None:
    clock = Clock(NOW)
    with Memory(database_url, clock=clock) as memory:
        keys = memory.operations.keys
        first = keys.create({"name": "n", "role": "write", "banks": ["a*"]})
        second = keys.rotate(first.id, overlap=timedelta(days=1))
        assert (second.name, second.role, second.banks) == ("n", "write", ["a*"])
        live = keys.live()
        assert live.find(first.key, NOW) is not None
        assert live.find(second.key, NOW) is not None
        assert live.find(first.key, NOW + timedelta(days=1)) is None
        third = keys.rotate(second.id)
        assert keys.live().find(second.key, NOW) is None
        assert keys.live().find(third.key, NOW) is not None
        with pytest.raises(Conflict, match="was revoked"):
            keys.rotate(second.id)
        with pytest.raises(NotFound):
            keys.rotate("nobody")
        with pytest.raises(InvalidInput, match="overlap"):
            keys.rotate(third.id, overlap=timedelta(days=-1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"role": "read"}, "name"),
        ({"name": "", "role": "read"}, "name"),
        ({"name": "n", "role": "owner"}, "role"),
        ({"name": "n", "role": "read", "banks": []}, "banks"),
        ({"name": "n", "role": "read", "banks": ["a/b"]}, "banks"),
        ({"name": "n", "role": "admin", "banks": ["a*"]}, "admin"),
        ({"name": "n", "role": "read", "expires_after": "PT0S"}, "expires_after"),
    ],
)
def test_an_invalid_key_is_refused(database_url: str, fields: dict[str, object], message: str) -> None:
    with Memory(database_url) as memory:
        with pytest.raises(InvalidInput, match=message):
            memory.operations.keys.create(fields)
        assert memory.operations.keys.list().keys == []


def test_keys_are_listed_in_parts(database_url: str) -> None:
    with Memory(database_url) as memory:
        keys = memory.operations.keys
        names = [keys.create({"name": f"n{number}", "role": "read"}).name for number in range(5)]
        listed, cursor = [], None
        while True:
            part = keys.list(limit=2, cursor=cursor)
            listed += [key.name for key in part.keys]
            cursor = part.next_cursor
            if cursor is None:
                break
        assert listed == names
        with pytest.raises(InvalidCursor):
            keys.list(cursor="nonsense")


def test_the_number_of_keys_is_limited(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "MAX_KEYS", 1)
    with Memory(database_url) as memory:
        keys = memory.operations.keys
        first = keys.create({"name": "n", "role": "read"})
        with pytest.raises(Conflict, match="revoke"):
            keys.create({"name": "n", "role": "read"})
        keys.rotate(first.id)


def test_prefixes_are_unique(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prefixes = iter(["aaaaaaaa", "aaaaaaaa", "bbbbbbbb"])
    monkeypatch.setattr(api_keys.secrets, "token_hex", lambda _: next(prefixes))
    with Memory(database_url) as memory:
        keys = memory.operations.keys
        made = [keys.create({"name": "n", "role": "read"}) for _ in range(2)]
        assert [key.id for key in made] == ["aaaaaaaa", "bbbbbbbb"]
        assert all(keys.live().find(key.key, NOW) for key in made)


def test_the_last_use_is_noted(database_url: str) -> None:
    with Memory(database_url) as memory:
        keys = memory.operations.keys
        new = keys.create({"name": "n", "role": "read"})
        keys.note_uses({})
        keys.note_uses({new.id: NOW, "erased": NOW})
        assert keys.list().keys[0].last_used_at == NOW


def test_other_banks_do_not_exist_for_limited_access(database_url: str) -> None:
    with Memory(database_url) as memory:
        for bank in ("anna", "ann", "ben"):
            memory.store(bank, [MESSAGE])
        with Access("write", ["a*"]).limiting():
            assert [bank.id for bank in memory.banks().banks] == ["ann", "anna"]
            assert [bank.id for bank in memory.banks(limit=1).banks] == ["ann"]
            assert {end.bank for end in memory.operations.newest_banks()} == {"ann", "anna"}
            for bank in ("ben", "bem"):
                with pytest.raises(NotFound, match=rf"no bank '{bank}'; this key opens banks named a\*$"):
                    memory.bank(bank)
                with pytest.raises(NotFound, match="this key opens"):
                    memory.store(bank, [MESSAGE])
                with pytest.raises(NotFound, match="this key opens"):
                    memory.set_policy(bank, {})
            assert memory.recall("ann", "Titan", banks=["ben"]).spans[0].bank == "ann"
            assert len(memory.recall("ann", "Titan", banks=["ben"]).spans) == 1
        with Access("read", ["b*"]).limiting(), pytest.raises(NotFound) as error:
            memory.bank("anne")
        assert "did you mean" not in str(error.value)
        assert [bank.id for bank in memory.banks().banks] == ["ann", "anna", "ben"]
