"""`foxing keys`: the keys of a service, from the command line."""

from pathlib import Path

from support.command_line import Foxing
from support.service import serve

from foxing.memory import Memory


def test_keys_are_created_listed_rotated_and_revoked(tmp_path: Path) -> None:
    foxing = Foxing(str(tmp_path / "foxing.db"))
    new = foxing.json("keys", "create", "--name", "N", "--role", "read", "--bank", "a*", "--expires-after", "P1D")
    assert new["key"].startswith(f"foxing_{new['id']}_")
    assert (new["role"], new["banks"]) == ("read", ["a*"])
    second = foxing.json("keys", "rotate", new["id"], "--overlap", "PT1H")
    assert foxing.json("keys", "revoke", second["id"])["revoked_at"]
    first, other = foxing.json("keys", "list")["keys"]
    assert first["expires_at"]
    assert other["revoked_at"]
    shown = foxing.text("keys", "list")
    assert "a*" in shown
    assert "revoked" in shown
    assert "expires" in shown
    assert new["key"] not in shown


def test_a_key_is_printed_alone_so_that_a_script_can_keep_it(tmp_path: Path) -> None:
    foxing = Foxing(str(tmp_path / "foxing.db"))
    key = foxing.text("keys", "create", "--name", "first", "--role", "admin").strip()
    assert "is revoked" in foxing.text("keys", "revoke", foxing.json("keys", "list")["keys"][0]["id"])
    with Memory(tmp_path / "foxing.db") as memory, serve(memory) as client:
        assert client.get("/v1/banks", headers={"Authorization": f"Bearer {key}"}).status_code == 401


def test_mistakes_are_named(tmp_path: Path) -> None:
    foxing = Foxing(str(tmp_path / "foxing.db"))
    create = ("keys", "create", "--name", "n", "--role")
    assert "admin" in foxing.failure(*create, "admin", "--bank", "a*")["detail"]
    assert "ISO 8601" in foxing.failure(*create, "read", "--expires-after", "tomorrow")["detail"]
    assert "no database" in foxing.failure("keys", "list")["detail"]
    foxing.text(*create, "read")
    assert "no key 'nobody'" in foxing.failure("keys", "revoke", "nobody")["detail"]
    assert "overlap" in foxing.failure("keys", "rotate", "nobody", "--overlap", "soon")["detail"]
