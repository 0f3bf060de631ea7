"""Steps that read messages and pages."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from foxing.memory import Forgotten, InvalidInput, NotFound

from .checks import Checks
from .folds import BANK as SESSION_BANK
from .folds import Session, prefix
from .model import check
from .outcome import Outcome

PNG = b"\x89PNG"


class Recall(Checks):
    """Recall, contexts, pages and images, and folds of conversations."""

    def _recall(self, bank: str, query: str, limit: int, track: bool) -> Any:
        def call() -> Any:
            if self._client is not None:
                return self._client.recall(bank, query, limit=limit)
            return self.memory.recall(bank, query, limit=limit, track=track)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if not outcome.done or not outcome.calm:
                return
            messages = {message.message_id: message for message in self.exported(bank)}
            for span in outcome.result.spans:
                message = messages.get(span.message_id)
                check(message is not None, f"recall gives {span.message_id}, which is not in the bank")
                if message is not None and span.passage is None and not span.left_out:
                    check(span.text == message.text, f"recall reads {span.message_id} otherwise than its export")
            again = self.memory.recall(bank, query, limit=limit, track=False)
            twice = self.memory.recall(bank, query, limit=limit, track=False)
            check(_answer(again) == _answer(twice), f"recall of {query!r} gives two answers")
            if query.startswith("x") and query.isalpha() and limit > 1:
                model = self.banks.get(bank)
                exact = [m for m in messages.values() if m.source != "decoded" and query in m.text.split()]
                ids = {span.message_id for span in again.spans}
                for message in exact[:limit] if model is not None and len(exact) <= limit else []:
                    check(message.message_id in ids, f"{message.message_id} is not found by its word {query}")

        return call, settle

    def _window(self, bank: str, until_days: int, since_days: int) -> Any:
        now = self.clock.now
        since = now - timedelta(days=since_days)
        until = now - timedelta(days=until_days)

        def call() -> list[str]:
            return [span.message_id for span in self.caller.recall(bank, since=since, until=until, limit=500).spans]

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if not outcome.done or not outcome.calm:
                return
            expectation = [m.message_id for m in self.exported(bank) if since <= m.created_at < until][:500]
            check(
                outcome.result == expectation, f"the window {since} to {until} has {outcome.result}, not {expectation}"
            )

        return call, settle

    def _context(self, bank: str, reader: str, budget: int, query: str) -> Any:
        def settle(outcome: Outcome) -> None:
            self._permit(outcome, InvalidInput)

        return (lambda: self.caller.context(bank, reader=reader, budget=budget, query=query)), settle

    def _view(self, bank: str, number: int, tier: str | None) -> Any:
        """Looks at a page: its image, its reading, and what it would be at a lower tier."""

        def call() -> None:
            pages = self.caller.pages(bank, limit=500).pages
            if not pages:
                return
            page = pages[number % len(pages)]
            check(self.caller.page_image(bank, page.id, tier).startswith(PNG), "an image of a page is no PNG")
            reading = self.caller.read_page(bank, page.id, tier)
            check(0 <= reading.kept <= 1, f"page {page.id}: kept {reading.kept}")
            originals = {} if bank not in self.banks else self.banks[bank].originals
            for message in reading.messages:
                origin = message.message_id in originals or self.banks[bank].candidates
                check(origin, f"page {page.id} shows {message.message_id}, which nobody has stored")
            if page.tier != "micro":
                self.caller.preview_page(bank, page.id, "micro")

        return self._of_bank(bank, call, Forgotten, InvalidInput)

    def _images(self, bank: str, query: str, reader: str) -> Any:
        def settle(outcome: Outcome) -> None:
            self._permit(outcome, InvalidInput, *self._absent(bank))
            if not outcome.done or not outcome.calm:
                return
            messages = {message.message_id: message for message in self.exported(bank)}
            for span in (*outcome.result.open_spans, *outcome.result.whole_spans):
                message = messages.get(span.message_id)
                check(message is not None, f"images show {span.message_id}, which is not in the bank")
                if message is not None and span.passage is None and not span.left_out:
                    check(span.text == message.text, f"images show {span.message_id} otherwise than its export")

        return (lambda: self.caller.recall_images(bank, query, reader=reader)), settle

    def _fold(self, session: str, turns: list[Mapping[str, Any]], reader: str, budget: int, cache: str) -> Any:
        state = self.sessions.setdefault(session, Session())
        state.add(turns)
        request = state.request(session, reader, budget, cache)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, InvalidInput)  # what must stay exceeds the budget
            try:
                result = outcome.result if outcome.done else self.memory.fold(SESSION_BANK, request)
            except InvalidInput:
                return
            state.check(result, request)
            again = self.memory.fold(SESSION_BANK, request)
            if again.fold == result.fold:
                check(prefix(again) == prefix(result), f"fold {again.fold} of {session} is another when repeated")
            state.check(again, request)
            with suppress(NotFound):
                state.check_stored(session, list(self.memory.export(SESSION_BANK)), again)

        return (lambda: self.caller.fold(SESSION_BANK, request)), settle


def _answer(result: Any) -> list[Any]:
    return [(span.message_id, span.text, span.score) for span in result.spans]
