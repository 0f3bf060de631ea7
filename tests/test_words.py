"""Public names and texts use the words of the glossary and of the field, none that only this project understands."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROOMS = ("memory", "renderer", "encoder", "api", "integrations")

#: Private words, and what is written in their place.
PRIVATE = {
    "alikes": "confusables, lookalikes",
    "anew": "again",
    "asker": "caller, user",
    "asleep": "idle",
    "begun": "started",
    "bygone": "past",
    "doubts": "uncertain",
    "forgetter": "eraser",
    "goes on": "continues",
    "go on": "continue",
    "had better": "should",
    "in peace": "circuit breaker",
    "ink that fades": "fading",
    "islands": "words, runs",
    "lender": "source",
    "lets go": "releases",
    "lets through": "matches",
    "makes no sense": "is invalid",
    "nobody": "no one; say which process or caller",
    "rehearsal": "recall weight",
    "remembering": "storing",
    "rivals": "baselines",
    "sheet": "page image",
    "sheets": "page images",
    "strange": "unread",
    "surroundings": "neighbours",
    "telling": "informative, salient",
    "tells": "says, gives, reports",
    "wastebasket": "trash",
    "whoever": "the caller, the process",
    "without eyes": "text-only",
}
_PATTERN = re.compile(rf"\b({'|'.join(PRIVATE)})\b", re.IGNORECASE)


def _words(name: str) -> str:
    """`RecallQuery`, `recall_query` → “recall query”."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").replace("-", " ").lower()


def _public_names(path: Path) -> Iterator[str]:
    """Modules, classes, functions, parameters and fields without an underscore in front."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name
            if isinstance(node, ast.ClassDef):
                fields = (field.target for field in node.body if isinstance(field, ast.AnnAssign))
                yield from (field.id for field in fields if isinstance(field, ast.Name) and field.id[0] != "_")
            else:
                yield from (argument.arg for argument in (*node.args.args, *node.args.kwonlyargs))


def _error_messages(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and node.exc is not None:
            texts = (part.value for part in ast.walk(node.exc) if isinstance(part, ast.Constant))
            yield from (text for text in texts if isinstance(text, str))


def _fields_and_descriptions(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "properties" and isinstance(item, dict):
                yield from map(_words, item)
            if key in ("description", "summary", "title") and isinstance(item, str):
                yield item
            yield from _fields_and_descriptions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _fields_and_descriptions(item)


def _reference(name: str) -> Path:
    (path,) = (REPOSITORY / "docs").rglob(name)
    return path


def _private(texts: Iterator[str]) -> list[str]:
    return [f"{found[0]}: {text}" for text in texts if (found := _PATTERN.search(text))]


@pytest.mark.parametrize("room", ROOMS)
def test_public_names_and_errors_hold_no_private_word(room: str) -> None:
    paths = sorted((REPOSITORY / room).rglob("*.py"))
    assert not _private(_words(name) for path in paths for name in _public_names(path))
    assert not _private(text for path in paths for text in _error_messages(path))


@pytest.mark.parametrize("page", ["cli.md", "python.md", "settings.md", "http.md"])
def test_generated_references_hold_no_private_word(page: str) -> None:
    """Help of commands, docstrings, settings, and what problems advise."""
    assert not _private(iter(_reference(page).read_text(encoding="utf-8").splitlines()))


def test_fields_and_descriptions_over_http_hold_no_private_word() -> None:
    document = json.loads(_reference("openapi.json").read_text(encoding="utf-8"))
    texts = [*_fields_and_descriptions(document)]
    assert len(texts) > 300
    assert not _private(iter(texts))


def test_private_words_are_found() -> None:
    assert _private(iter([_words("SheetReader"), "what the ink that fades TELLS", "told"])) == [
        "sheet: sheet reader",
        "ink that fades: what the ink that fades TELLS",
    ]
