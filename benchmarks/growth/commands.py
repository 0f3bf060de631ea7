"""Probes of the commands that read a text, a document or a file."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from foxing.api.cli.main import app

from .probes import Call, Probe, World
from .shapes import TEXTS, nested

ARGUMENT = 120_000  # bytes of an argument, within what Linux passes
FILE = 400_000  # characters of a file
NESTED = 200_000  # levels of a document
#: Commands that read no text of a user, or pass it on unread; importers and the proxy's requests are measured as such.
WITHOUT_TEXT = frozenset(
    {
        *("age", "banks", "calibrate", "console", "demo", "doctor", "export", "install", "mcp", "pages", "policy"),
        *("preview", "proxy", "read", "reencode", "reindex", "savings", "seal", "serve", "undo", "usage", "worker"),
        *("codec.check", "codec.list", "db.backup", "db.check", "db.grant", "db.upgrade"),
        *("hold.list", "hold.release", "hold.set"),
        *("keys.create", "keys.list", "keys.revoke", "keys.rotate"),
        *("audit.list", "audit.verify", "audit.export"),
        "quarantine.list",
        *("bundle.copy", "bundle.export", "bundle.import", "bundle.rename"),
    }
)

#: Returns the arguments of a command, and its standard input, for a text; may write it to a path that is free.
Arguments = Callable[[Path, str], tuple[Sequence[str], bytes | None]]


def _file(*arguments: str) -> Arguments:
    def make(path: Path, text: str) -> tuple[Sequence[str], bytes | None]:
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return [each.replace("FILE", str(path)) for each in arguments], None

    return make


def _argument(*arguments: str) -> Arguments:
    return lambda path, text: ([each.replace("TEXT", text.replace("\0", " ")) for each in arguments], None)


def _input(*arguments: str) -> Arguments:
    return lambda path, text: (arguments, text.encode("utf-8", "surrogatepass"))


def _line(text: str) -> str:
    return json.dumps({"role": "user", "content": text}) + "\n"


def _event(text: str) -> str:
    return json.dumps({"session_id": "s", "cwd": "/tmp", "hook_event_name": "UserPromptSubmit", "prompt": text})


#: Name of a command → its inputs: what grows, the limit, the arguments, and how the text is wrapped.
COMMANDS: dict[str, Sequence[tuple[str, int, Arguments, Callable[[str], str]]]] = {
    "recall": [("query", 10_000, _argument("recall", "TEXT", "--bank", "b"), str)],
    "context": [("query", 10_000, _argument("context", "--reader", "claude", "--query", "TEXT", "--bank", "b"), str)],
    "threads": [("words", 200, _argument("threads", "TEXT", "--bank", "b"), str)],
    "fetch": [("reference", ARGUMENT, _argument("fetch", "TEXT", "--bank", "b"), str)],
    "facts.list": [("subject", 200, _argument("facts", "list", "--subject", "TEXT", "--bank", "b"), str)],
    "facts.pin": [("fact", ARGUMENT, _argument("facts", "pin", "TEXT", "--bank", "b"), str)],
    "facts.correct": [("text", 2_000, _argument("facts", "correct", "k7q-0", "TEXT", "--bank", "b"), str)],
    "facts.dismiss": [("fact", ARGUMENT, _argument("facts", "dismiss", "TEXT", "--bank", "b"), str)],
    "erase": [("message", ARGUMENT, _argument("erase", "--message", "TEXT", "--bank", "b", "--yes"), str)],
    "quarantine.release": [
        ("message", ARGUMENT, _argument("quarantine", "release", "TEXT", "--bank", "b"), str),
    ],
    "quarantine.erase": [
        ("message", ARGUMENT, _argument("quarantine", "erase", "TEXT", "--bank", "b", "--yes"), str),
    ],
    "render": [("text", FILE // 4, _file("render", "FILE", "--reader", "claude", "--output", "FILE.out"), str)],
    "import": [
        ("line of JSON", FILE, _file("import", "FILE", "--bank", "b"), _line),
        ("standard input", FILE, _input("import", "-", "--bank", "b"), _line),
        ("text of no format", FILE, _file("import", "FILE", "--bank", "b"), str),
    ],
    "watch": [("a session", FILE, _file("watch", "FILE", "--once", "--bank", "b"), _line)],
    "hook": [("event", FILE, _input("hook", "Stop"), _event)],
    "codec.bench": [("text", 20_000, _file("codec", "bench", "--texts", "FILE", "--json"), str)],
    "db.restore": [("text in place of a backup", FILE, _file("db", "restore", "FILE"), str)],
}


def command_probes() -> Iterator[Probe]:
    """Yields the probes of every command. Raises `ValueError` for a command that stands in neither table."""
    names = set(_names())
    unknown = names - COMMANDS.keys() - WITHOUT_TEXT
    gone = (COMMANDS.keys() | WITHOUT_TEXT) - names
    if unknown or gone:
        raise ValueError(f"benchmarks/growth/commands.py lacks {sorted(unknown)}, and has {sorted(gone)} too many")
    for name, inputs in COMMANDS.items():
        for label, limit, arguments, wrap in inputs:
            entry = f"foxing {name.replace('.', ' ')}"
            yield Probe(entry, f"{label} of everything", limit, _prepared(arguments, TEXTS["everything"], wrap))
            if limit == FILE:
                yield Probe(entry, f"{label} nested", NESTED, _prepared(arguments, nested, str))


def _names() -> Iterator[str]:
    group = get_command(app)
    context = group.make_context("foxing", ["banks"], resilient_parsing=True)
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        yield from (f"{name}.{each}" for each in below) if below else (name,)


def _prepared(
    arguments: Arguments, make: Callable[[int], str], wrap: Callable[[str], str]
) -> Callable[[World, int], Call]:
    def prepare(world: World, size: int) -> Call:
        given, stdin = arguments(world.path(".jsonl"), wrap(make(size)))
        database = str(world.path(".db"))
        runner = CliRunner(env={"FOXING_EMBEDDER": "none", "HOME": str(world.folder), "FOXING_LOG_LEVEL": "error"})

        def call() -> None:
            result = runner.invoke(app, ["--database", database, *given], input=stdin)
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception

        return call

    return prepare
