"""Events in a spool are taken in once and in order, or wait."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from foxing.integrations.hooks import spool as hooks_spool
from foxing.integrations.hooks.spool import Event, put, read, waiting
from foxing.integrations.outbox.spool import DAMAGED, Spool
from foxing.memory import errors


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "spool")


def fill(folder: str, count: int) -> list[str]:
    return [put(folder, Event("cursor", f"e{number}", "", "/", b"{}", at_ns=number + 1)) for number in range(count)]


class Handler:
    """What handles events; each of its errors is raised once, for the event of that name."""

    def __init__(self, **failures: Exception) -> None:
        self.failures = failures
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        if name in self.failures:
            raise self.failures.pop(name)
        self.names.append(name)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def spool(folder: str, lines: list[str]) -> Spool[str]:
    return Spool(partial(waiting, folder), lambda path: read(path).name, lines.append)


def test_an_event_that_may_be_handled_later_waits_with_those_after_it(
    spool: Spool[str], folder: str, lines: list[str]
) -> None:
    fill(folder, 3)
    handler = Handler(e1=errors.StorageError("the database is locked"))
    assert spool.take_in(handler) == 1
    assert [read(path).name for path in waiting(folder)] == ["e1", "e2"]
    assert (spool.pause_s > 0, "the database is locked" in str(spool.last_error)) == (True, True)
    handler.failures = {"e1": errors.Unavailable("the database is locked").after(7.0)}
    assert spool.take_in(handler) == 0
    assert spool.pause_s == 7.0
    assert spool.take_in(handler) == 2
    assert handler.names == ["e0", "e1", "e2"]
    assert (spool.pause_s, spool.last_error, waiting(folder)) == (0.0, None, [])
    assert lines == ["e1 waits: the database is locked"]


def test_what_is_refused_or_damaged_holds_up_no_other(spool: Spool[str], folder: str, lines: list[str]) -> None:
    paths = fill(folder, 4)
    Path(paths[0]).write_bytes(b"half")
    handler = Handler(e1=errors.Conflict("another message has this id"), e2=ZeroDivisionError("a bug"))
    assert spool.take_in(handler) == 2
    assert (handler.names, waiting(folder)) == (["e3"], [])
    assert sorted(each.name for each in (Path(folder) / DAMAGED).iterdir()) == [
        Path(paths[0]).stem,
        Path(paths[2]).stem,
    ]
    assert ["cannot be taken in" in line for line in lines] == [True, False, True]


@pytest.mark.parametrize(("limit", "value"), [("MOST_EVENTS", 2), ("MOST_BYTES", 103)])
def test_a_full_spool_takes_no_more_and_loses_nothing(
    folder: str, spool: Spool[str], monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    fill(folder, 2)
    monkeypatch.setattr(hooks_spool, limit, value)
    full: Callable[[], str] = lambda: put(folder, Event("cursor", "e2", "", "/", b"x" * 100))  # noqa: E731
    with pytest.raises(OSError, match="run: foxing doctor"):
        full()
    assert spool.take_in(Handler()) == 2
    monkeypatch.undo()
    full()
    assert len(waiting(folder)) == 1
