"""Steps that set and release legal holds."""

from typing import Any

from foxing.memory import Conflict, NotFound

from .checks import Checks
from .outcome import Outcome


class Holds(Checks):
    """Legal holds on banks: what they keep is neither erased nor aged."""

    def _hold(self, bank: str) -> Any:
        model = self.banks.get(bank)

        def call() -> Any:
            return self.caller.operations.holds.set({"bank": bank, "reason": "case 7"})

        def settle(outcome: Outcome) -> None:
            held = model is not None and model.held
            self._permit(outcome, *([Conflict] if held else []), *self._absent(bank))
            self._settle_holds()
            self.verify(bank)

        return call, settle

    def _release(self, bank: str) -> Any:
        def call() -> None:
            for hold in self.caller.operations.holds.list().holds:
                if hold.bank == bank:
                    self.caller.operations.holds.release(hold.id)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, *([NotFound] if not outcome.calm else []))
            self._settle_holds()
            self.verify(bank)

        return call, settle

    def _settle_holds(self) -> None:
        """Takes the holds as they are: a call that was interrupted has set or released one as a whole."""
        banks = {hold.bank for hold in self.memory.operations.holds.list().holds}
        for name, model in self.banks.items():
            model.held = name in banks
