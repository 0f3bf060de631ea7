"""How far long work is, where stderr is no terminal."""

import io
from threading import Event
from threading import enumerate as enumerate_threads

import pytest
from rich.console import Console

from foxing.api.cli import progress as module
from foxing.api.cli.context import State
from foxing.api.cli.progress import lines, progress


class Stream(io.StringIO):
    """Tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        if text.endswith("\n"):
            self.written.set()
        return count


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.01)


def test_a_line_says_what_is_done_and_how_much_of_it() -> None:
    stream = Stream()
    with progress(Console(file=stream, width=80), "ageing pages") as advance:
        assert stream.written.wait(60)  # also before anything is known
        advance(12, 40)
        for _ in range(2):  # the first may have been on its way
            stream.written.clear()
            assert stream.written.wait(60)
    said = stream.getvalue().splitlines()
    assert said[0] == "ageing pages, 0 s"
    assert any(line.startswith("ageing pages: 30%, ") for line in said)


def test_nothing_is_said_once_the_work_is_done() -> None:
    stream = Stream()
    with lines(Console(file=stream), lambda: "working"):
        assert stream.written.wait(60)
    assert "progress" not in {thread.name for thread in enumerate_threads()}


def test_stderr_has_the_error_alone_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    with State(as_json=True).progress("ageing pages") as advance:
        advance(1, 2)
    assert not State(as_json=True).shows_progress
    assert State().shows_progress
    assert capsys.readouterr().err == ""
