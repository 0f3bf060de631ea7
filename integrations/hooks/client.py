"""`foxing-hook HOST EVENT`: the program that coding agents start for each event, 40 ms in all.

It hands the event to the running service and prints the answer. It never fails the agent: it exits with status 0, and
where there is no answer in time it prints nothing and writes a line to the log of hooks. What is to be stored goes to
the spool first. Where no service runs, it starts one and does not wait for it.

Imports little and late: the time of the agent counts.
"""

import os
import sys
import time

from foxing.renderer.announcement import TOKEN_HEADER, Announcement, AnotherService, fields_of, seconds_left
from foxing.renderer.private_files import make_folder, opener

from .hosts import HOSTS, PROMPT, START, WAITS_S
from .places import (
    ASKED,
    ERROR,
    GIVEN,
    NOTHING,
    PATH,
    STARTED,
    WAIT_HEADER,
    default_database,
    folder_of,
    note,
    spool_of,
)

#: The limit at other events, and what of it passes before `main` where the system does not say.
LIMIT_S = 0.145
START_S = 0.035
#: What the user is told where a session begins without an answer, by hosts that show such a line.
NOTICE = b'{"systemMessage": "Foxing: memory is not there yet; what it has comes with a later prompt (foxing doctor)"}'
#: Variable of the environment with which an agent runs without memory, if it is not empty.
SWITCH = "NO_FOXING"
MOST_BYTES = 16 << 20
LOCK_SUFFIX = "-starting"
#: A module of the engine, which foxing-client does not have: without it, no service can be started here.
ENGINE = os.path.join(os.path.dirname(__file__), "app.py")


def main() -> int:
    """Handles one event; the entry point of the script. Returns 0."""
    if os.environ.get(SWITCH):
        return 0
    began = time.monotonic() - running_s()
    _leave_the_group()
    database = default_database()
    try:
        arguments, bank, database = _options(sys.argv[1:], database)
        if len(arguments) != 2:
            raise ValueError("give a host and an event: foxing-hook HOST EVENT")
        name, event = arguments
        if name not in HOSTS:
            raise ValueError(f"no host is called '{name}'; there are: {', '.join(HOSTS)}")
        payload = sys.stdin.buffer.read(MOST_BYTES)
        answer = handle(name, event, bank, database, payload, began + limit_s(name, event))
        if answer:
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()
    except BaseException as error:  # an agent must not fail because of its memory
        note(database, f"{' '.join(sys.argv[1:3])}: {type(error).__name__}: {error}")
    return 0


def _leave_the_group() -> None:
    """Begins a session of its own, which Linux schedules beside those of a build rather than as one process of it."""
    if sys.platform != "win32" and os.getpgrp() != os.getpid():  # one that leads a group may not
        os.setsid()


def running_s() -> float:
    """Returns for how long this process has run."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError, ValueError, IndexError):
        return START_S


def limit_s(host: str, event: str) -> float:
    """Returns for how many seconds a hook may run."""
    return WAITS_S.get(HOSTS[host].events.get(event, ""), LIMIT_S)


def handle(host: str, event: str, bank: str, database: str, payload: bytes, deadline: float) -> bytes:
    """Returns what the host is to read; empty for nothing. `deadline`: on the monotonic clock."""
    folder, row = os.getcwd(), HOSTS[host]
    moment = row.events.get(event, "")
    in_log = moment == PROMPT and bool(row.log_format)  # the session log has the prompt
    if not in_log:
        _spool(host, event, bank, database, payload)
    service = Announcement.of(database)
    if moment not in WAITS_S:
        if service is None or not _listens(service, deadline):
            start_service(database)
        return b""
    try:
        if service is None:
            raise ConnectionRefusedError
        answer = ask(service, f"{PATH}/{host}/{event}?bank={bank}&folder={_quoted(folder)}", payload, deadline)
        outcome = ERROR if answer is None else GIVEN if answer else NOTHING
    except TimeoutError:
        answer, outcome = None, f"no answer in {WAITS_S[moment] * 1000:.0f} ms"
    except AnotherService as error:
        answer, outcome = None, "another program listens at the address of the service"
        note(database, f"{host} {event}: {error}; it was sent nothing")
        start_service(database)
    except OSError:
        answer, outcome = None, "no service ran; one was started"
        start_service(database)
    note(database, f"{host} {event}: {outcome}", ASKED)
    if answer is None and in_log:  # it is answered with the next one
        _spool(host, event, bank, database, payload)
    if answer is not None:
        return answer
    return NOTICE if moment == START and row.notices else b""


def _spool(host: str, event: str, bank: str, database: str, payload: bytes) -> None:
    from .spool import Event, put

    try:
        put(spool_of(database), Event(host, event, bank, os.getcwd(), payload))
    except OSError as error:  # the disk or the spool is full
        note(database, f"{host} {event} is not stored: {error}")


def start_service(database: str) -> bool:
    """Starts a service on a database in the background, unless one is starting or was started by a hook and still runs.
    Returns whether it did."""
    make_folder(folder_of(database))
    if not os.path.exists(ENGINE):
        note(database, "no service runs, and foxing-client alone cannot start one; run: foxing serve, where foxing is")
        return False
    lock = opener(os.path.join(folder_of(database), "service" + LOCK_SUFFIX), os.O_RDWR | os.O_CREAT)
    try:
        if not _locked(lock):
            return False
        import subprocess

        log = os.path.join(folder_of(database), "service.log")
        with open(log, "ab", opener=opener) as output:
            # The lock is held by whoever has it open, which from here on is the service.
            descriptors: dict[str, object] = {"pass_fds": (lock,)} if os.name == "posix" else {}
            service = subprocess.Popen(
                [sys.executable, "-m", "foxing.api.cli.main", "--database", database, "serve", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=os.path.dirname(database) or None,
                start_new_session=True,
                **descriptors,  # type: ignore[call-overload]
            )
        os.ftruncate(lock, 0)
        os.write(lock, str(service.pid).encode())
        note(database, f"{STARTED}, process {service.pid}")
        return True
    finally:
        os.close(lock)


def _locked(descriptor: int) -> bool:
    """Locks a file, if no other process has. Where files cannot be locked so, a minute passes between two starts."""
    try:
        import fcntl
    except ImportError:
        last = os.fstat(descriptor).st_mtime
        fresh = os.fstat(descriptor).st_size and abs(time.time() - last) < 60  # the clock may have been set back
        os.write(descriptor, b".")
        return not fresh
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _options(words: list[str], database: str) -> tuple[list[str], str, str]:
    """Returns the arguments without options, the bank, after which others follow that are asked as well, and the
    database."""
    values, bank, others, arguments = [], "", "", iter(words)
    for argument in arguments:
        if argument == "--bank":
            bank = next(arguments, "")
        elif argument == "--banks":
            others = f",{next(arguments, '')}"
        elif argument == "--database":
            database = os.path.abspath(os.path.expanduser(next(arguments, database)))
        else:
            values.append(argument)
    return values, bank + others, database


def _listens(service: Announcement, deadline: float) -> bool:
    try:
        service.connect(deadline).close()
    except TimeoutError:
        return True  # it is busy
    except OSError:
        return False
    return True


def ask(service: Announcement, target: str, body: bytes, deadline: float) -> bytes | None:
    """Returns the body of the answer, None for an error. Raises `AnotherService`, which was sent nothing, `OSError`,
    and `TimeoutError` at the deadline."""
    received = b""
    connection = service.connect(deadline)
    try:
        head = (
            f"POST {target} HTTP/1.1\r\nHost: {service.authority}\r\n{TOKEN_HEADER}: {service.token}\r\n"
            f"{WAIT_HEADER}: {1000 * seconds_left(deadline):.0f}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        part = b"."
        while part:
            connection.settimeout(seconds_left(deadline))
            part = connection.recv(1 << 16)
            received += part
    finally:
        connection.close()
    lines, _, answer = received.partition(b"\r\n\r\n")
    if lines.split()[1:2] != [b"200"] or len(answer) != int(fields_of(lines).get("content-length", -1)):
        return None
    return answer


def _quoted(path: str) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(path))


if __name__ == "__main__":
    sys.exit(main())
