"""`foxing` and `python` in processes forked from one that has imported what they need.

Starting a command this way takes a tenth of a second rather than the seconds of importing PyTorch and loading the
embedder. The command gets its own arguments, environment, working directory and standard streams, and ends as a
program does.

    python command_server.py SOCKET            serves, until it is killed
    python command_server.py SOCKET NAME …     runs `foxing …` or `python …`; only this form is quick to start
"""

import atexit
import gc
import json
import os
import signal
import socket
import sys
import threading
import traceback
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

RECEIVED = 1 << 20


def call(path: str, command: list[str]) -> int:
    """Has the server run a command; returns its exit status."""
    request = {"command": command, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"-"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        process = int(connection.recv(16))
        signal.signal(signal.SIGTERM, lambda *_: os.kill(process, signal.SIGTERM))
        return int(connection.recv(16) or b"1")


def serve(path: str) -> list[str]:
    """Forks a process for each command; returns the command, in that process alone."""
    _load()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            command = _command(connection)
            if command is not None:
                return command
        connection.close()


def _load() -> None:
    """Imports what commands need and loads the embedder and the codec, by running some."""
    from foxing.api.cli.main import app

    with TemporaryDirectory() as folder, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        messages = Path(folder) / "messages.jsonl"
        messages.write_text('{"role": "user", "content": "hello"}', encoding="utf-8")
        for command in ("import {messages}", "seal", "recall hello", "context hello --reader claude --budget 500"):
            arguments = command.format(messages=messages).split()
            app(["--database", f"{folder}/foxing.db", *arguments, "--bank", "b"], standalone_mode=False)


def _command(connection: socket.socket) -> list[str] | None:
    """The command, in a process that stands as it asked for; its parent reports the exit status and ends."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    data = b""
    while received := connection.recv(RECEIVED):
        data += received
    request = json.loads(data)
    child = os.fork()
    if child:
        connection.sendall(str(child).encode())
        _, status = os.waitpid(child, 0)
        connection.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())
        os._exit(0)
    connection.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    # By the line, as on a terminal.
    sys.stdout = open(1, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    return list(request["command"])


def run(command: list[str]) -> None:
    """Runs the command in this process and ends it, without the second that taking everything apart takes."""
    status: object = 0
    try:
        _run(command)
    except SystemExit as error:
        status = error.code
    except BaseException:
        status = 1
        traceback.print_exc()
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def _run(command: list[str]) -> None:
    import runpy
    import time

    time.tzset()
    name, *arguments = command
    if name == "foxing":
        from foxing.api.cli.main import main

        sys.argv = [name, *arguments]
        main()
        return
    sys.path.insert(0, "")
    option, *rest = arguments
    match option:
        case "-c":
            sys.argv = ["-c", *rest[1:]]
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        case "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        case "-":
            sys.argv = arguments
            exec(compile(sys.stdin.read(), "<stdin>", "exec"), {"__name__": "__main__"})
        case _:
            sys.argv = arguments
            sys.path[0] = str(Path(option).resolve().parent)
            runpy.run_path(option, run_name="__main__")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
    run(serve(sys.argv[1]))
