"""`foxing-hook TOOL EVENT`: the program that coding agents start for each event, 40 ms in all.

It hands the event to the running service and prints the answer. It never fails the agent: it exits with status 0, and
where there is no answer in time it prints nothing and writes a line to the log of hooks. What is to be stored goes to
the spool first. Where no service runs, it starts one and does not wait for it.

Imports little and late: the time of the agent counts.
"""

import os
import sys
import time

from .places import PATH, SERVICE_SUFFIX, TOKEN_HEADER, default_database, folder_of, note, spool_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket

#: Limit on the whole process, and what of it passes before `main` where the system does not say.
LIMIT_S = 0.145
START_S = 0.035
#: Events whose answer the agent waits for.
ASKING = frozenset({"SessionStart", "UserPromptSubmit", "sessionStart", "beforeSubmitPrompt"})
#: Events that need no spool: the session log of the tool has the prompt.
NOT_STORED = frozenset({"UserPromptSubmit"})
TOOLS = frozenset({"claude-code", "codex", "cursor"})
MOST_BYTES = 16 << 20
LOCK_SUFFIX = "-starting"


def main() -> int:
    """Handles one event; the entry point of the script. Returns 0."""
    deadline = time.monotonic() + LIMIT_S - running_s()
    database = default_database()
    try:
        arguments, bank, database = _options(sys.argv[1:], database)
        if len(arguments) != 2:
            raise ValueError("give a tool and an event: foxing-hook TOOL EVENT")
        tool, event = arguments
        if tool not in TOOLS:
            raise ValueError(f"no tool is called '{tool}'")
        payload = sys.stdin.buffer.read(MOST_BYTES)
        answer = handle(tool, event, bank, database, payload, deadline)
        if answer:
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()
    except BaseException as error:  # an agent must not fail because of its memory
        note(database, f"{' '.join(sys.argv[1:3])}: {type(error).__name__}: {error}")
    return 0


def running_s() -> float:
    """Returns for how long this process has run."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError, ValueError, IndexError):
        return START_S


def handle(tool: str, event: str, bank: str, database: str, payload: bytes, deadline: float) -> bytes:
    """Returns what the tool is to read; empty for nothing. `deadline`: on the monotonic clock."""
    folder = os.getcwd()
    if event not in NOT_STORED:
        from .spool import Event, put

        put(spool_of(database), Event(tool, event, bank, folder, payload))
    service = _service(database)
    if service is None:
        start_service(database)
        return b""
    if event not in ASKING:
        if not _listens(service, deadline):
            start_service(database)
        return b""
    try:
        answer = ask(service, f"{PATH}/{tool}/{event}?bank={bank}&folder={_quoted(folder)}", payload, deadline)
    except TimeoutError:
        note(database, f"{tool} {event}: no answer in {LIMIT_S * 1000:.0f} ms; given up")
        return b""
    except OSError:
        answer = None
    if answer is None:
        start_service(database)
        return b""
    return answer


def start_service(database: str) -> bool:
    """Starts a service on a database in the background, unless one is starting or was started by a hook and still runs.
    Returns whether it did."""
    os.makedirs(folder_of(database), mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(folder_of(database), "service" + LOCK_SUFFIX), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _locked(lock):
            return False
        import subprocess

        log = os.path.join(folder_of(database), "service.log")
        with open(log, "ab") as output:
            # The lock is held by whoever has it open, which from here on is the service.
            held: dict[str, object] = {"pass_fds": (lock,)} if os.name == "posix" else {}
            service = subprocess.Popen(
                [sys.executable, "-m", "foxing.api.cli.main", "--database", database, "serve", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=os.path.dirname(database) or None,
                start_new_session=True,
                **held,  # type: ignore[call-overload]
            )
        os.ftruncate(lock, 0)
        os.write(lock, str(service.pid).encode())
        note(database, f"started a service, process {service.pid}")
        return True
    finally:
        os.close(lock)


def _locked(descriptor: int) -> bool:
    """Locks a file, if no other process has. Where files cannot be locked so, a minute passes between two starts."""
    try:
        import fcntl
    except ImportError:
        last = os.fstat(descriptor).st_mtime
        fresh = os.fstat(descriptor).st_size and time.time() - last < 60
        os.write(descriptor, b".")
        return not fresh
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _options(given: list[str], database: str) -> tuple[list[str], str, str]:
    """Returns the arguments without options, the bank and the database."""
    values, bank, rest = [], "", iter(given)
    for argument in rest:
        if argument == "--bank":
            bank = next(rest, "")
        elif argument == "--database":
            database = os.path.abspath(os.path.expanduser(next(rest, database)))
        else:
            values.append(argument)
    return values, bank, database


def _service(database: str) -> tuple[str, int, str] | None:
    """Returns host, port and token of the service on a database; None if there is none."""
    try:
        with open(database + SERVICE_SUFFIX, encoding="utf-8") as file:
            return announced(file.read())
    except (OSError, ValueError, KeyError):
        return None


def announced(text: str) -> tuple[str, int, str]:
    """Returns host, port and token of an announcement, which is a JSON object of plain names and numbers; to load the
    parser of JSON would take as long as the rest. Raises `ValueError` or `KeyError`."""
    members = (member.split(":", 1) for member in text.strip().strip("{}").split(","))
    found = {name.strip(' "'): value.strip(' "') for name, value in members}
    return found["host"], int(found["port"]), found["token"]


def _connected(service: tuple[str, int, str], deadline: float) -> "Socket":
    """Returns a connection to a service. Raises `OSError`, and `TimeoutError` at the deadline."""
    # `socket` loads enumerations and selectors, a quarter of the time of the process
    from _socket import AF_INET, AF_INET6, SOCK_STREAM, socket

    host, port, _ = service
    connection = socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM)
    try:
        connection.settimeout(_left(deadline))
        connection.connect((host, port))
    except OSError:
        connection.close()
        raise
    return connection


def _listens(service: tuple[str, int, str], deadline: float) -> bool:
    try:
        _connected(service, deadline).close()
    except OSError:
        return False
    return True


def ask(service: tuple[str, int, str], target: str, body: bytes, deadline: float) -> bytes | None:
    """Returns the body of the answer, empty for an error; None if another service answers. Raises `OSError`, and
    `TimeoutError` at the deadline."""
    host, port, token = service
    shown = f"[{host}]" if ":" in host else host
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {shown}:{port}\r\n{TOKEN_HEADER}: {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    received = b""
    connection = _connected(service, deadline)
    try:
        connection.sendall(head.encode() + body)
        part = b"."
        while part:
            connection.settimeout(_left(deadline))
            part = connection.recv(1 << 16)
            received += part
    finally:
        connection.close()
    lines, _, answer = received.partition(b"\r\n\r\n")
    first, *headers = lines.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in headers)}
    if fields.get(TOKEN_HEADER.lower()) != token:
        return None
    if first.split()[1:2] != ["200"] or len(answer) != int(fields.get("content-length", -1)):
        return b""
    return answer


def _left(deadline: float) -> float:
    """Returns the seconds until the deadline. Raises `TimeoutError` if it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _quoted(path: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(path))


if __name__ == "__main__":
    sys.exit(main())
