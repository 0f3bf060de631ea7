"""Steps that erase messages."""

from typing import Any

from foxing.memory import Held, NotFound
from foxing.renderer import FoxingError

from .checks import Checks
from .model import BankModel, Original, check
from .outcome import Outcome


class Erasure(Checks):
    """Erasure of a message, a thread, a person or a bank."""

    def _forget(self, bank: str, messages: list[Original], outcome: Outcome) -> None:
        """Settles an erasure in a bank, and looks for what is left."""
        model = self.banks.get(bank)
        if model is not None:
            for original in messages:
                if outcome.done and not original.doubtful:
                    model.originals.pop(original.id or "", None)
                    self.erasures[id(original)] = original
                elif outcome.error is None or outcome.fault:
                    original.doubtful = True
        self.verify(bank)

    def _kept(self, outcome: Outcome, bank: str) -> list[type[FoxingError]]:
        """Returns the error of a bank that a legal hold keeps, of which nothing is erased."""
        model = self.banks.get(bank)
        if model is None or not model.held:
            return []
        check(not outcome.done, f"bank {bank} is held, and something of it was erased")
        return [Held]

    def _look_for_erasures(self, outcome: Outcome) -> None:
        if outcome.done and not outcome.fault and getattr(outcome.result, "log_erased", False):
            self.check_erasures()

    def _erase_message(self, bank: str, number: int) -> Any:
        model = self.banks.get(bank)
        if model is None or not model.originals:
            return self._skip()
        original = list(model.originals.values())[number % len(model.originals)]

        def settle(outcome: Outcome) -> None:
            expired = original.expires_at is not None and original.expires_at <= self._latest(outcome)
            errors = [NotFound] if expired or original.doubtful else []
            self._permit(outcome, *errors, *self._kept(outcome, bank))
            self._forget(bank, [original], outcome)
            self._look_for_erasures(outcome)

        return (lambda: self.caller.erase_message(bank, original.id or "")), settle

    def _erase_thread(self, bank: str, thread: str) -> Any:
        model = self.banks.get(bank)
        messages = (
            [] if model is None else [original for original in model.originals.values() if original.thread == thread]
        )

        def settle(outcome: Outcome) -> None:
            certain = any(not original.doubtful and original.expires_at is None for original in messages)
            self._permit(outcome, *([] if certain else [NotFound]), *self._kept(outcome, bank))
            self._forget(bank, messages, outcome)
            self._look_for_erasures(outcome)

        return (lambda: self.caller.erase_thread(bank, thread)), settle

    def _erase_person(self, person: str) -> Any:
        of_banks = {
            bank: [
                original
                for original in model.originals.values()
                if (original.name or "").casefold() == person.casefold()
            ]
            for bank, model in self.banks.items()
        }

        def call() -> Any:
            return self.caller.operations.persons.erase(person, dry_run=False)

        def settle(outcome: Outcome) -> None:
            certain = any(not s.doubtful and s.expires_at is None for part in of_banks.values() for s in part)
            kept = [error for bank, messages in of_banks.items() if messages for error in self._kept(outcome, bank)]
            self._permit(outcome, *([] if certain else [NotFound]), *kept)
            if outcome.done and not outcome.fault:
                check(outcome.result.remaining == 0, f"messages of {person} remain: {outcome.result}")
            whole = outcome.done and outcome.result.remaining == 0
            for bank, messages in of_banks.items():
                self._forget(bank, messages, outcome if whole or not outcome.done else Outcome(killed=True, fault=True))
            self._look_for_erasures(outcome)

        return call, settle

    def _erase_bank(self, bank: str) -> Any:
        model = self.banks.get(bank)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, *self._absent(bank), *self._kept(outcome, bank))
            if model is None:
                return
            if outcome.done:
                for original in self._possible(model):
                    self.erasures[id(original)] = original
                del self.banks[bank]
            elif outcome.fault:
                self._settle_bank(bank, model)
            self.verify(bank)
            self._look_for_erasures(outcome)

        return (lambda: self.caller.erase_bank(bank)), settle

    def _settle_bank(self, bank: str, model: BankModel) -> None:
        """Settles an interrupted erasure: the bank is there as a whole, or not at all."""
        try:
            self.memory.bank(bank)
        except NotFound:
            for original in self._possible(model):
                self.erasures[id(original)] = original
            del self.banks[bank]
