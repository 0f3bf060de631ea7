"""`foxing doctor`: what is installed where, whether the service is reached, and what was stored last."""

import json
import os
import shlex
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from foxing.renderer import Announcement

from .client import ask
from .hosts import HOSTS, PROGRAM
from .places import ASKED, GIVEN, NOTHING, PATH, STARTED, default_database, folder_of, log_of, spool_of
from .spool import waiting

if TYPE_CHECKING:
    from foxing.integrations.outbox.file import OutboxState

    from .hosts import Host
    from .settings_files import Scope

REACHED_S = 5.0
#: An event that has waited for longer shows that the service does not take events in.
WAITING_S = 60.0
LOG_LINES = 5
#: Number of the last questions that are looked at, and of those without an answer, such as the first one of a day, that
#: are no problem.
ASKED_LAST, FORGIVEN = 10, 2
#: Age up to which what failed counts as a problem.
FAILED = timedelta(days=1)


@dataclass
class Installation:
    """Settings of a tool that have hooks."""

    tool: str
    scope: str
    hooks: str
    events: list[str]
    missing: list[str]
    server: bool


@dataclass
class Diagnosis:
    """State of the hooks."""

    database: str = field(repr=False)
    installed: list[Installation] = field(default_factory=list)
    #: host and port of the service; None if it is not reached
    service: str | None = None
    #: the project of the folder, and its bank
    project: str = ""
    bank: str = ""
    #: what was stored last, by bank
    stored: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: events that wait, and those that cannot be read
    spool: int = 0
    damaged: int = 0
    #: why the oldest event waits; None if none does, or no service is reached
    error: str | None = None
    #: what waits in the outboxes of the proxy, of wrapped clients and of adapters
    outboxes: list[tuple[str, "OutboxState"]] = field(default_factory=list)
    #: past sessions that wait to be imported; None if no service is reached
    past: int | None = None
    #: what came of the last questions to the service, the newest last
    asked: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    #: what is wrong, and what to do
    problems: list[str] = field(default_factory=list)


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the state of the hooks of coding agents: what is installed where, whether the service is reached, which bank
    this folder has, what was stored last, and what is wrong.

    Exits with status 1 if something is wrong.
    """
    from foxing.integrations.command_state import CommandState

    from .install import database_of

    state = cast(CommandState, context.obj)
    state.as_json = as_json
    diagnosis = diagnose(database_of(state), Path.cwd())
    state.report(asdict(diagnosis), _checks(diagnosis))


def diagnose(database: str | None, folder: Path) -> Diagnosis:
    """Returns the state of the hooks on a database. `folder`: of the project, whose settings are looked at as well."""
    from foxing.integrations.outbox.file import DOORS, outbox_path, states
    from foxing.integrations.outbox.spool import DAMAGED

    from .notes import stored_last
    from .projects import bank_of, root_of
    from .settings_files import Scope

    diagnosis = Diagnosis(database or "", project=str(root_of(folder)), bank=bank_of(folder))
    if database is None:
        diagnosis.database = default_database()
        diagnosis.problems.append("the settings name a database that is no SQLite file; hooks need one")
        return diagnosis
    for host in HOSTS.values():
        for name, scope in (("user", Scope(None)), ("project", Scope(root_of(folder)))):
            _look_at(diagnosis, host, name, scope)
    status = service_status(database)
    if status is not None:
        diagnosis.service = str(status["service"])
        diagnosis.past = int(status.get("past", 0))
        diagnosis.error = status.get("error")
    diagnosis.outboxes = [(door, state) for door in DOORS for state in states(outbox_path(door)) if state.entries]
    events = waiting(spool_of(database))
    diagnosis.spool = len(events)
    damaged = Path(spool_of(database)) / DAMAGED
    diagnosis.damaged = len(list(damaged.iterdir())) if damaged.is_dir() else 0
    diagnosis.stored = stored_last(database)
    lines = _lines(log_of(database))
    diagnosis.log = lines[-LOG_LINES:]
    now = datetime.now(UTC)
    diagnosis.asked = _recent(_lines(str(Path(folder_of(database)) / ASKED)), now)[-ASKED_LAST:]
    _judge(diagnosis, events, [line for line in _recent(lines, now) if not line.partition(" ")[2].startswith(STARTED)])
    return diagnosis


def service_status(database: str) -> dict[str, Any] | None:
    """Returns the answer of the service on a database, with its address as `service`; None if it is not reached."""
    service = Announcement.of(database)
    if service is None:
        return None
    try:
        answer = ask(service, f"{PATH}/status", b"", time.monotonic() + REACHED_S)
        return None if not answer else {**json.loads(answer), "service": f"http://{service.authority}"}
    except (OSError, ValueError):
        return None


def _look_at(diagnosis: Diagnosis, host: "Host", name: str, scope: "Scope") -> None:
    from .errors import SettingsRefused
    from .settings_files import installed_events, installed_server
    from .settings_forms import server_words
    from .trust import untrusted_events

    try:
        events, server = installed_events(host, scope), installed_server(host, scope)
        untrusted = untrusted_events(host, scope)
    except SettingsRefused as error:
        diagnosis.problems.append(str(error))
        return
    if not events and server is None:
        return
    missing = [event for event in host.events if event not in events]
    again = f"run: foxing install {host.name} --{name}"
    diagnosis.installed.append(
        Installation(host.name, name, str(scope.hooks_file(host)), list(events), missing, server is not None)
    )
    if missing:
        diagnosis.problems.append(f"{host.title} ({name}) lacks hooks for {', '.join(missing)}; {again}")
    if untrusted:
        diagnosis.problems.append(f"{host.title} ({name}) does not run {', '.join(untrusted)}. {host.trust}")
    for program in {*chain.from_iterable(map(_programs, events.values())), *server_words(server)[:1]}:
        if Path(program).is_absolute() and not os.access(program, os.X_OK):
            diagnosis.problems.append(f"{host.title} ({name}) starts {program}, which is not there; {again}")
        elif not Path(program).is_absolute() and shutil.which(program) is None:
            diagnosis.problems.append(
                f"{host.title} ({name}) starts {program}, which is not on the PATH; run: pipx install foxing"
            )


def _programs(command: str) -> list[str]:
    """Returns the programs that a command line of a hook names: the hook, and what starts it."""
    try:
        words = [word.strip('"') for word in shlex.split(command, posix=os.name != "nt")]
    except ValueError:
        return [command]
    last = next((number for number, word in enumerate(words) if Path(word).name.startswith(PROGRAM)), 0)
    return [word for number, word in enumerate(words[: last + 1]) if number == last or Path(word).is_absolute()]


def _judge(diagnosis: Diagnosis, events: Sequence[str], failures: Sequence[str]) -> None:
    """Adds what is wrong. `failures`: lines of the log."""
    if not diagnosis.installed:
        first, *others = HOSTS
        diagnosis.problems.append(f"no hooks are installed; run: foxing install {first} (or {', '.join(others)})")
    if diagnosis.service is None and diagnosis.installed:
        diagnosis.problems.append(
            "the service is not reached; the next hook starts it, or run: foxing serve (its log is "
            f"{folder_of(diagnosis.database)}/service.log)"
        )
    now = time.time_ns()
    # an event of the future is one from before the clock was set back
    if (
        events
        and abs(now - int(Path(events[0]).name.split("-")[0])) > WAITING_S * 1e9
        and diagnosis.service is not None
    ):
        reason = f" ({diagnosis.error})" if diagnosis.error else ""
        diagnosis.problems.append(f"events wait for more than a minute{reason}; see {log_of(diagnosis.database)}")
    if diagnosis.damaged:
        diagnosis.problems.append(
            f"{diagnosis.damaged} events cannot be read; they are kept in {spool_of(diagnosis.database)}/damaged"
        )
    for door, state in diagnosis.outboxes:
        if state.last_error is not None:
            diagnosis.problems.append(
                f"{state.entries:,} messages of {door} wait for {state.scope} since {state.oldest}: {state.last_error}"
            )
    unanswered = _unanswered(diagnosis.asked)
    if (number := unanswered.total()) > FORGIVEN:
        reasons = "; ".join(f"{reason} ({count})" for reason, count in unanswered.most_common())
        diagnosis.problems.append(
            f"{number} of the last {len(diagnosis.asked)} prompts got nothing, because: {reasons}"
        )
    if failures:
        times = "once" if len(failures) == 1 else f"{len(failures):,} times"
        diagnosis.problems.append(
            f"hooks have failed {times} within a day, the last time: {failures[-1]} ({log_of(diagnosis.database)})"
        )


def _lines(path: str) -> list[str]:
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as log:
            return [line.rstrip("\n") for line in log]
    except OSError:
        return []


def _recent(lines: Sequence[str], now: datetime) -> list[str]:
    """Returns the lines of a log that were written lately, by this clock or an earlier one."""
    written = []
    for line in lines:
        try:
            if now - datetime.fromisoformat(line.partition(" ")[0]) < FAILED:
                written.append(line)
        except (ValueError, TypeError):  # not a line of hooks, or the rest of one
            continue
    return written


def _unanswered(questions: Sequence[str]) -> Counter[str]:
    """Returns the reasons for which questions got no answer, each with its number."""
    outcomes = (line.partition(": ")[2] for line in questions)
    return Counter(outcome for outcome in outcomes if outcome not in (GIVEN, NOTHING))


def _checks(diagnosis: Diagnosis) -> list[tuple[str, str, str, Sequence[str]]]:
    """Returns the name, the question and the answer of each check. What to do is with the last."""
    checks: list[tuple[str, str, str, Sequence[str]]] = [
        (f"{installation.tool}, {installation.scope}", "Which hooks does it run?", _hooks_of(installation), ())
        for installation in diagnosis.installed
    ]
    checks.append(("service", "Where is it reached?", diagnosis.service or "nowhere", ()))
    checks.append(("database", "Which one is it?", diagnosis.database, ()))
    checks.append(("bank", f"Which one has {diagnosis.project}?", diagnosis.bank, ()))
    for bank, last in sorted(diagnosis.stored.items(), key=lambda item: str(item[1].get("at"))):
        answer = f"{last.get('messages')} messages of {last.get('thread')}, {last.get('at')}"
        checks.append((bank, "What was stored last?", answer, ()))
    past = f"; {diagnosis.past} past sessions wait to be imported" if diagnosis.past else ""
    checks.append(("spool", "What waits?", f"{diagnosis.spool} events{past}", ()))
    for door, outbox in diagnosis.outboxes:
        checks.append((f"outbox of {door}", "What waits?", f"{outbox.entries:,} messages for {outbox.scope}", ()))
    checks += [("log", "What does it say?", line, ()) for line in diagnosis.log]
    checks.append(("hooks", "Does something need you?", "yes" if diagnosis.problems else "no", diagnosis.problems))
    return checks


def _hooks_of(installation: Installation) -> str:
    server = "with the MCP server" if installation.server else "without the MCP server"
    return f"{', '.join(installation.events)}; {server} ({installation.hooks})"
