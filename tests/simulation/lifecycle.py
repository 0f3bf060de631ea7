"""Steps that age pages and change how they are stored."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import Any

from foxing.memory import Forgotten, NotFound, Policy
from foxing.renderer.clock import MAX_CLOCK_SKEW

from .checks import Checks
from .model import TIERS, BankModel, age_start, check, tier_of_age
from .outcome import Outcome


class Lifecycle(Checks):
    """Time, ticks, and operations on pages."""

    def _advance(self, seconds: float) -> Any:
        def move() -> None:
            self.clock.move(seconds)
            self.bank_s += abs(seconds) * len(self.banks)
            self._tick_clock()

        return move, lambda outcome: None

    def _tick(self) -> Any:
        now = self.clock.now

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            at = now if outcome.clock_times is None else outcome.clock_times[0]
            latest = now if outcome.clock_times is None else outcome.clock_times[1]
            expiries = [
                (name, original)
                for name, model in self.banks.items()
                for original in model.originals.values()
                if not model.held and original.expires_at is not None and original.expires_at <= latest
            ]
            whole = outcome.done and not outcome.fault
            leases = self._leased_pages() if whole and outcome.calm else set()
            for name, original in expiries:
                if whole and outcome.calm and not leases:
                    self.erasures[id(original)] = self.banks[name].originals.pop(original.id or "")
                else:
                    original.doubtful = True
            if outcome.done and not outcome.fault:
                report = outcome.result
                check(not report.failed_banks, f"tick failed: {report.failed_banks}")
                check(not report.unreadable, f"tick left pages: {report.unreadable}")
            self.verify_all()
            if whole and outcome.calm:
                self._check_tiers(at, leases)
                if expiries and not leases:
                    self.check_erasures()

        return (lambda: self.memory.tick()), settle

    def _leased_pages(self) -> set[str]:
        """Returns the pages that may still be leased by a process that was killed, all of them if a job may be. Raises
        `Finding` for a job that a tick should have taken."""
        now = self.clock.now
        with closing(sqlite3.connect(self.path)) as file:
            jobs = file.execute("SELECT bank_id, kind, lease_until FROM jobs").fetchall()
            pages = file.execute('SELECT "key", lease_until FROM pages WHERE lease_owner IS NOT NULL').fetchall()
            names = {key for (key,) in file.execute('SELECT "key" FROM pages')}
        busy = {bank for bank, _, until in jobs if _is_leased(until, now)}  # banks whose other jobs wait
        for bank, kind, until in jobs:
            check(bank in busy, f"a tick at {now} left the job {kind}, whose lease ends at {until}")
        return names if jobs else {key for key, until in pages if _is_leased(until, now)}

    def _check_tiers(self, now: datetime, leases: set[str]) -> None:
        """Checks that pages are at the tier that their policy sets, or lower."""
        for name, model in self.banks.items():
            if model.held:
                continue
            try:
                pages = self.memory.pages(name, limit=500).pages
            except NotFound:
                continue
            arrivals: dict[str, datetime] = {}
            for message in self.exported(name):
                for page in message.page_ids:
                    arrivals[page] = max(arrivals.get(page, message.arrived_at), message.arrived_at)
            for page in pages:
                if page.pinned or page.id not in arrivals or page.id in leases:
                    continue
                age = now - age_start(model.policy, page.last_at, arrivals[page.id])
                tier = tier_of_age(model.policy, age)
                due = TIERS.index(page.tier) >= TIERS.index(tier)
                check(due, f"page {page.id} is at {page.tier} after a tick, its age {age} calls for {tier}")

    def _seal(self, bank: str) -> Any:
        return self._of_bank(bank, lambda: self.caller.seal(bank))

    def _age(self, bank: str) -> Any:
        return self._of_bank(bank, lambda: self.caller.age(bank))

    def _pin(self, bank: str, number: int, pinned: bool) -> Any:
        def call() -> None:
            pages = self.caller.pages(bank, limit=500).pages
            if pages:
                page = pages[number % len(pages)]
                info = self.caller.pin(bank, page.id, pinned=pinned)
                check(info.pinned == pinned, "a page was pinned, and is not")

        return self._of_bank(bank, call)

    def _undo(self, bank: str, number: int | None) -> Any:
        def call() -> None:
            page = None
            if number is not None:
                pages = self.caller.pages(bank, limit=500).pages
                page = pages[number % len(pages)].id if pages else None
            report = self.caller.undo(bank, page=page)
            check(not report.unreadable, f"undo left {report.unreadable}")

        return self._of_bank(bank, call, Forgotten, sharpens=True)

    def _policy(self, bank: str, policy: Mapping[str, Any]) -> Any:
        new_policy = Policy.parse(policy)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            model = self.banks.get(bank)
            if model is None:
                model = self.banks[bank] = BankModel(new_policy, doubtful=not outcome.done)
            if outcome.done:
                check(self.memory.policy(bank) == new_policy, "the policy of a bank is not that which was set")
                model.policy = new_policy
                model.history.append(new_policy)
            else:
                with suppress(NotFound):
                    model.policy = self.memory.policy(bank)
                    model.history.append(model.policy)
            for original in model.originals.values():
                original.policies.append(model.policy)
            self.verify(bank)

        return (lambda: self.caller.set_policy(bank, new_policy)), settle

    def _reindex(self, bank: str, words: bool) -> Any:
        from foxing.memory import EmbedderError

        return self._of_bank(bank, lambda: self.memory.operations.reindex(bank, words=words), EmbedderError)

    def _reencode(self, bank: str) -> Any:
        return self._of_bank(bank, lambda: self.caller.operations.reencode(bank))


def _is_leased(until: str | None, now: datetime) -> bool:
    """True if a lease has not ended, and was not set by a clock that was ahead."""
    return until is not None and now < datetime.fromisoformat(until).replace(tzinfo=UTC) <= now + MAX_CLOCK_SKEW
