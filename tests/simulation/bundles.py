"""Steps that move a bank as a bundle."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from foxing.memory import Conflict, Memory, NotFound

from .checks import Checks
from .model import check
from .outcome import Outcome


class Bundles(Checks):
    """Bundles: a bank exported and imported under another name holds the same."""

    def _bundle(self, bank: str, target: str) -> Any:
        self.verify(bank)
        source = self.banks.get(bank)
        if source is None or source.doubtful:
            return self._skip()
        path = self.folder / "bank.foxing"
        residents = self.banks.get(target)

        def call() -> Any:
            path.unlink(missing_ok=True)
            _export(self.memory, bank, path)
            return self.memory.operations.bundles.load(target, path)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, *([Conflict] if residents is not None else []))
            if outcome.done:
                check(residents is None or residents.doubtful, f"a bundle was imported into the bank {target}")
            if outcome.done or (outcome.fault and residents is None and self._has(target)):
                self.banks[target] = replace(deepcopy(source), held=False)
            self.verify(target)
            self.verify(bank)
            if outcome.done and outcome.calm:
                self._check_elsewhere(bank, path)

        return call, settle

    def _check_elsewhere(self, bank: str, path: Path) -> None:
        """Checks that a bundle is the same once it has moved to another database."""
        with TemporaryDirectory(dir=self.folder) as folder:
            other = Path(folder) / "bank.foxing"
            with Memory(Path(folder) / "other.db", codec=self.codec, clock=self.clock, options=self.options) as memory:
                memory.operations.bundles.load(bank, path)
                _export(memory, bank, other)
            check(path.read_bytes() == other.read_bytes(), f"the bundle of {bank} is another in another database")

    def _has(self, bank: str) -> bool:
        try:
            self.memory.bank(bank)
        except NotFound:
            return False
        return True


def _export(memory: Memory, bank: str, path: Path) -> None:
    with path.open("xb") as file:
        memory.operations.bundles.export(bank, file)
