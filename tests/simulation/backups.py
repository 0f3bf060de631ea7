"""Steps that copy, restore and check the file of a database."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from copy import deepcopy
from typing import Any

from foxing.memory import Maintenance

from .checks import Checks
from .model import check
from .outcome import Outcome


class Backups(Checks):
    """Backups, their restoration, and the check of the file."""

    def _backup(self, number: int) -> Any:
        path = self.folder / f"backup{number}.db"

        def call() -> None:
            with Maintenance(self.path) as maintenance:
                maintenance.back_up(path)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if outcome.done and path.exists():
                self.verify_all()
                self.backups[number] = (path, deepcopy(self.banks))
                self.check_erasures(path)
            else:
                check(not path.exists(), "an interrupted backup left a file")

        return call, settle

    def _restore(self, number: int) -> Any:
        if number not in self.backups:
            return self._skip()
        path, banks = self.backups[number]

        def call() -> None:
            self._switch_now()
            self._drop()
            self._switch_now()
            self._drop()
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            with Maintenance(self.path) as maintenance:
                maintenance.restore(path)
            self._open()

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if not outcome.done:  # the file is there as a whole, or not at all
                call()
            self.banks = deepcopy(banks)
            self.erasures.clear()
            for session in self.sessions.values():
                session.last.clear()
            self._tick_clock()
            for model in self.banks.values():
                for original in model.originals.values():
                    original.doubtful = original.doubtful or original.expires_at is not None
            self.verify_all()

        return call, settle

    def _check(self) -> Any:
        def call() -> Any:
            with Maintenance(self.path) as maintenance:
                return maintenance.check(self.codec, "cpu", None, self.options, everything=True)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if outcome.done and not outcome.fault:
                problems = [(part.name, part.examples) for part in outcome.result.parts if part.problems]
                if any(policy.index == "faded" for model in self.banks.values() for policy in model.history):
                    # a change of the policy applies to pages as they age, and until then the check reports their words
                    problems = [problem for problem in problems if problem[0] != "terms"]
                check(not problems, f"the check finds {problems}")

        return call, settle

    def rows(self) -> str:
        """Returns a digest of all rows, vectors apart."""
        digest = hashlib.sha256()
        copy = self.folder / "rows.db"
        shutil.copy(self.path, copy)
        with closing(sqlite3.connect(self.path)) as file:
            tables = [
                name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
            ]
            for table in tables:
                if "embedding" in table or "vector" in table or "fts" in table:
                    continue
                rows = sorted(map(repr, file.execute(f'SELECT * FROM "{table}"')))
                digest.update(f"{table} {rows}".encode())
        return digest.hexdigest()
