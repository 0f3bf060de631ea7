"""Runs the `foxing` command in tests: in process, or as a process of its own."""

import json
import os
import subprocess
import sys
from typing import Any

from typer.testing import CliRunner

from foxing.api.cli.context import State
from foxing.api.cli.main import app

from .processes import ForkedProcess, start_python


class Foxing:
    """Runs the command in process, on one database."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.runner = CliRunner()
        #: That of the system, unless `--timezone` gives another.
        self.timezone = "UTC"

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Any:
        state = State(system_timezone=lambda: self.timezone)
        return self.runner.invoke(app, ["--database", self.database, *arguments], input=stdin, obj=state)

    def text(self, *arguments: str) -> str:
        """stdout without --json."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def json(self, *arguments: str, stdin: str | bytes | None = None) -> Any:
        """The document printed with --json."""
        result = self.run(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    def failure(self, *arguments: str, status: int = 1) -> dict[str, Any]:
        """The problem document on stderr with --json. Without it, the same error must be one sentence."""
        plain = self.run(*arguments)
        assert plain.exit_code == status, plain.output
        assert plain.stdout == ""
        assert "Traceback" not in plain.stderr
        result = self.run(*arguments, "--json")
        assert result.exit_code == status
        assert result.stdout == ""
        document: dict[str, Any] = json.loads(result.stderr)
        assert document["detail"].split()[0] in plain.stderr
        return document


def start(*arguments: str, **environment: str) -> ForkedProcess:
    """Starts the command as a process; `environment` is added to that of the test."""
    return start_python("from foxing.api.cli.main import main; main()", *arguments, **environment)


def start_anew(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The same in a new interpreter, for what depends on how it starts."""
    command = [sys.executable, "-m", "foxing.api.cli.main", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
