"""Text that is safe to print on a terminal."""

import io

import pytest
from rich.console import Console

from foxing.api.cli.context import State
from foxing.api.cli.output import printable, table, underlined


def test_text_cannot_control_the_terminal() -> None:
    assert printable("a\x1b[2Jb\x07\r\x7f\x9b\u202e") == "a␛[2Jb␇␍␡⟦9B⟧⟦202E⟧"
    assert printable("lines\nand\ttabs 한국어 🙂") == "lines\nand\ttabs 한국어 🙂"


def test_uncertain_runs_are_underlined() -> None:
    shown = underlined("what[ever] it is", [(0, 4, 0.5), (11, 13, 0.2)])
    assert shown.plain == "what[ever] it is"
    assert [(span.start, span.end) for span in shown.spans if "underline" in str(span.style)] == [(0, 4), (11, 13)]
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, color_system="standard").print(shown)
    assert "\x1b[4" in stream.getvalue()


def test_square_brackets_in_a_table_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """An extra, or the name of a speaker, is not markup."""
    State().console.print(table("codec, installed", [("deepseek-ocr", "no: pip install 'foxing[gpu]'")]))
    assert "foxing[gpu]" in capsys.readouterr().out
