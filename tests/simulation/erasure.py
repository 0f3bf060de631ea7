"""Steps that erase messages."""

from typing import Any

from foxing.memory import NotFound

from .checks import Checks
from .model import BankModel, Said, check
from .outcome import Outcome


class Erasure(Checks):
    """Erasure of a message, a thread, a person or a bank."""

    def _forget(self, bank: str, messages: list[Said], outcome: Outcome) -> None:
        """Settles an erasure in a bank, and looks for what is left."""
        model = self.banks.get(bank)
        if model is not None:
            for said in messages:
                if outcome.done and not said.doubtful:
                    model.said.pop(said.id or "", None)
                    self.gone[id(said)] = said
                elif outcome.error is None or outcome.fault:
                    said.doubtful = True
        self.verify(bank)

    def _look_for_gone(self, outcome: Outcome) -> None:
        if outcome.done and not outcome.fault and getattr(outcome.result, "log_erased", False):
            self.check_gone()

    def _erase_message(self, bank: str, number: int) -> Any:
        model = self.banks.get(bank)
        if model is None or not model.said:
            return self._skip()
        said = list(model.said.values())[number % len(model.said)]

        def settle(outcome: Outcome) -> None:
            expired = said.expires_at is not None and said.expires_at <= self._latest(outcome)
            self._permit(outcome, *([NotFound] if expired or said.doubtful else []))
            self._forget(bank, [said], outcome)
            self._look_for_gone(outcome)

        return (lambda: self.caller.erase_message(bank, said.id or "")), settle

    def _erase_thread(self, bank: str, thread: str) -> Any:
        model = self.banks.get(bank)
        messages = [] if model is None else [said for said in model.said.values() if said.thread == thread]

        def settle(outcome: Outcome) -> None:
            certain = any(not said.doubtful and said.expires_at is None for said in messages)
            self._permit(outcome, *([] if certain else [NotFound]))
            self._forget(bank, messages, outcome)
            self._look_for_gone(outcome)

        return (lambda: self.caller.erase_thread(bank, thread)), settle

    def _erase_person(self, person: str) -> Any:
        of_banks = {
            bank: [said for said in model.said.values() if (said.name or "").casefold() == person.casefold()]
            for bank, model in self.banks.items()
        }

        def call() -> Any:
            return self.caller.operations.persons.erase(person, dry_run=False)

        def settle(outcome: Outcome) -> None:
            certain = any(not s.doubtful and s.expires_at is None for part in of_banks.values() for s in part)
            self._permit(outcome, *([] if certain else [NotFound]))
            if outcome.done and not outcome.fault:
                check(outcome.result.remaining == 0, f"messages of {person} remain: {outcome.result}")
            whole = outcome.done and outcome.result.remaining == 0
            for bank, messages in of_banks.items():
                self._forget(bank, messages, outcome if whole or not outcome.done else Outcome(killed=True, fault=True))
            self._look_for_gone(outcome)

        return call, settle

    def _erase_bank(self, bank: str) -> Any:
        model = self.banks.get(bank)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, *([] if model is not None and not model.doubtful else [NotFound]))
            if model is None:
                return
            if outcome.done:
                for said in self._possible(model):
                    self.gone[id(said)] = said
                del self.banks[bank]
            elif outcome.fault:
                self._settle_bank(bank, model)
            self.verify(bank)
            self._look_for_gone(outcome)

        return (lambda: self.caller.erase_bank(bank)), settle

    def _settle_bank(self, bank: str, model: BankModel) -> None:
        """Settles an interrupted erasure: the bank is there as a whole, or not at all."""
        try:
            self.memory.bank(bank)
        except NotFound:
            for said in self._possible(model):
                self.gone[id(said)] = said
            del self.banks[bank]
