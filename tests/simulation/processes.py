"""Steps that begin, end and fork processes."""

import os
import signal
import warnings
from contextlib import suppress
from typing import Any

from foxing.memory import StorageError

from .checks import Checks
from .model import check, short
from .outcome import Outcome

#: Seconds after which a forked process that waits is ended.
FORK_S = 30


class Processes(Checks):
    """Processes on one file: forked, opened again, taking turns."""

    def _switch(self) -> Any:
        def settle(outcome: Outcome) -> None:
            if self._memory is None:
                self._open()
            self.verify_all()

        return self._switch_now, settle

    def _fork(self) -> Any:
        """Forks, as programs do that have opened a memory; the new process must not be able to use it."""

        def call() -> int:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on: this process has threads
                child = os.fork()
            if child == 0:
                code = 3
                try:
                    signal.alarm(FORK_S)
                    code = self._use_in_child()
                finally:
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            return os.waitstatus_to_exitcode(status)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            self._exports.clear()
            self.verify_all()
            meanings = {1: "stores in the memory of its parent", 2: "stores in the file that its parent has open"}
            code = outcome.result
            check(code == 0, f"a forked process {meanings.get(code, f'ends with {code}')}")

        return call, settle

    def _use_in_child(self) -> int:
        """Returns 0 if a forked process can store neither by the memory that it has inherited nor by another one."""
        messages = [{"role": "user", "content": "from a forked process"}]
        with suppress(StorageError):
            self.memory.store("forked", messages)
            return 1
        with suppress(StorageError):
            self._new_memory().store("forked", messages)
            return 2
        return 0

    def _reopen(self) -> Any:
        before = {bank: self._state(bank) for bank in self.banks}

        def call() -> None:
            self.memory.close()
            self._open()

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            for bank, state in before.items():
                after = self._state(bank)
                check(state == after, f"bank {bank} is another after it was opened again: {_difference(state, after)}")

        return call, settle

    def _state(self, bank: str) -> list[Any]:
        return [message.model_dump() for message in self.exported(bank)]


def _difference(before: list[Any], after: list[Any]) -> str:
    for one, other in zip(before, after, strict=False):
        if one != other:
            return short(str({key: (one[key], other[key]) for key in one if one[key] != other[key]}), 0)
    return f"{len(before)} messages, then {len(after)}"
