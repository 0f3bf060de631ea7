"""A simulation: steps on a real memory, each held against the model."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from foxing.renderer import FoxingError

from .backups import Backups
from .bundles import Bundles
from .erasure import Erasure
from .faults import Faults, Killed, during
from .holds import Holds
from .interference import Interference
from .lifecycle import Lifecycle
from .model import Finding
from .outcome import Outcome
from .processes import Processes
from .recall import Recall
from .records import Records
from .steps import Step
from .storing import Storing

#: Steps that change no words.
READING = frozenset({"recall", "window", "context", "backup", "check", "conflict", "view", "images", "fork"})
YEAR_S = 365.25 * 86_400


class Simulation(Storing, Lifecycle, Recall, Erasure, Records, Holds, Bundles, Processes, Backups, Interference):
    """Steps on a memory, one method for each, and the call of a step. Use it in a `with` block."""

    def run(self, step: Step) -> None:
        """Runs a step and checks everything that it may concern. Raises `Finding`."""
        call, settle = getattr(self, f"_{step.name}")(**step.arguments)
        self.calls[step.name] += 1
        self.doors[step.door, step.name] += 1
        before = self.clock.now
        through = self._through_service(call) if step.door == "http" else call
        moves = step.fault is not None and step.fault.kind.startswith("clock")
        with (
            during(step.fault, self.clock) as faults,
            self._embedder_failing(step) as embedder,
            self._erasing(step) as victims,
        ):
            outcome = self._outcome(through, faults)
            if self._memory is not None and not faults.dead:
                self._memory._late.wait()
            faults.happened |= embedder is not None and embedder.failures > 0
            outcome = replace(outcome, fault=not moves and (outcome.fault or faults.happened))
        if moves and faults.happened:
            times = sorted((before, self.clock.now))
            outcome = replace(outcome, clock_times=(times[0], times[1]))
            self._tick_clock()
        outcome = replace(outcome, beside=bool(victims))
        for bank, original in victims:
            if original.id in self.banks[bank].originals:
                self.erasures[id(original)] = self.banks[bank].originals.pop(original.id)
        if (faults.happened or victims) and step.fault is not None:
            self.coverage[step.fault.kind, step.name] += 1
        if step.name not in READING or not outcome.calm:
            self._exports.clear()
        if outcome.killed:
            self._drop()
            if step.name != "restore":
                self._open()
        settle(outcome)
        self._note(step, outcome)

    @staticmethod
    def _outcome(call: Callable[[], Any], faults: Faults) -> Outcome:
        try:
            result = call()
        except Killed:
            return Outcome(killed=True, fault=True)
        except FoxingError as error:
            return Outcome(error=error, fault=faults.happened, killed=faults.dead)
        except Finding:
            raise
        except BaseException as error:
            if faults.dead:  # the end of the process, among the errors of a task group
                return Outcome(killed=True, fault=True)
            raise Finding(f"{type(error).__name__} is not a documented error: {error}") from error
        if faults.dead:  # a thread or a handler met the end of the process
            return Outcome(result, killed=True, fault=True)
        return Outcome(result, fault=faults.happened)

    def _note(self, step: Step, outcome: Outcome) -> None:
        """Adds what happened to the trace, which is the same for the same seed."""
        error = None if outcome.error is None else type(outcome.error).__name__
        self.trace.update(f"{step.name} {error} {outcome.killed} {self.clock.now}\n".encode())
