"""Contents of the pages of the console."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from foxing.api.dependencies import Service
from foxing.memory import (
    RELEVANCE_FLOOR,
    Access,
    BankInfo,
    NotFound,
    PageInfo,
    Policy,
    PolicyForecast,
    RecalledMessage,
    RecallResult,
)
from foxing.memory.ingest.validate import check_bank_name
from foxing.memory.lifecycle.forecast import tier_at
from foxing.memory.text.terms import query_terms
from foxing.memory.values.savings import SavingsWindow
from foxing.renderer import all_tiers, tier_rank

from .attention import STUCK_S, disk_space
from .bank_search import search_banks
from .forms import whole_number
from .images import ShownImages
from .plots import idle_steps, latency_bars, policy_curve, saved_bars, shown_days, tier_bar
from .rendering import HEADERS, ConsolePage, text_of, url
from .words import GAP_MARK, SHOWN_CHARS, marked_words

BANKS = 50
MESSAGES = 40
FOUND = 20
#: Characters of a message in a list.
LISTED_CHARS = 700
#: Real pages that the preview of a policy shows.
SAMPLES = 3
SAVINGS_ROWS = 200
#: Time for which the savings of all banks are shown.
SAVINGS_SHOWN = timedelta(days=30)


class Views:
    """Builds the pages. Each method takes the parameters of the URL."""

    def __init__(self, service: Service, images: ShownImages) -> None:
        self.service = service
        self.memory = service.memory
        self.images = images

    async def banks(self, request: Request) -> ConsolePage | Response:
        """Banks, or what a search finds in them."""
        if chosen := request.query_params.get("import", "").strip():
            return RedirectResponse(url("/banks/{}/import", check_bank_name(chosen)), 303, HEADERS)
        cursor = request.query_params.get("cursor")
        query = request.query_params.get("q", "").strip()
        if query:
            return await self._found(request, query, cursor)
        listed = await self.service.run(self.memory.banks, limit=BANKS, cursor=cursor)
        bars = {bank.id: tier_bar(_pages(bank), bank.open_messages) for bank in listed.banks}
        return ConsolePage("banks.html", {"listed": listed, "bars": bars, "q": ""}, listed)

    async def _found(self, request: Request, query: str, cursor: str | None) -> ConsolePage:
        """A part of what a search finds in all banks."""
        part = await self.service.run_codec(search_banks, self.memory, query, cursor, GAP_MARK)
        before = max(0, whole_number(request.query_params.get("found"), 0))
        values = {
            "q": query,
            "hits": [(bank, self._listed(spans, query)) for bank, spans in part.banks.items()],
            "part": part,
            "found": before + len(part.banks),
        }
        alone = request.headers.get("hx-request") == "true"
        return ConsolePage("found.html" if alone else "banks.html", values, part.json())

    async def overview(self, request: Request) -> ConsolePage:
        """A bank: its sizes, and what is due."""
        bank = request.path_params["bank"]
        info = await self.service.run(self.memory.bank, bank)
        policy = await self.service.run(self.memory.policy, bank)
        is_admin = Access.current().permits("admin")
        quarantined = await self.service.run(self.memory.operations.quarantine.count, bank) if is_admin else 0
        values = {
            "bank": bank,
            "info": info,
            "bar": tier_bar(_pages(info), info.open_messages),
            "policy": policy,
            "is_admin": is_admin,
            "quarantined": quarantined,
        }
        return ConsolePage("overview.html", values, info)

    async def timeline(self, request: Request) -> ConsolePage:
        """Messages by time, or what a search finds."""
        bank = request.path_params["bank"]
        query = request.query_params
        question, since, cursor = (query.get(name, "").strip() for name in ("q", "since", "cursor"))
        thread = query.get("thread", "")
        fields: dict[str, Any] = {"thread": thread or None, "gap_mark": GAP_MARK, "cursor": cursor or None}
        if question:
            first = since
            result = await self._search(bank, question, FOUND, since=since or None, **fields)
        else:
            first = since or await self._newest_day(bank)
            result = await self._recall(bank, limit=MESSAGES, since=first or None, **fields)
        day = _day(first)
        values = {
            "bank": bank,
            "q": question,
            "thread": thread,
            "since": since,
            "first": first,
            "cursor": cursor,
            "earlier": {} if day is None else {n: (day - timedelta(days=n)).isoformat() for n in (1, 7, 30)},
            "result": result,
            "messages": self._listed(result.spans, question),
        }
        part = request.headers.get("hx-request") == "true"
        return ConsolePage("messages.html" if part else "timeline.html", values, result)

    async def _newest_day(self, bank: str) -> str:
        """Returns the day of the newest message; empty if there is none."""
        newest = (await self.service.run(self.memory.threads, bank, limit=1)).threads
        return newest[0].last_at.date().isoformat() if newest else ""

    async def message(self, request: Request) -> ConsolePage:
        """One message, its pages at each tier and its neighbours."""
        bank = request.path_params["bank"]
        key = request.query_params.get("id", "")
        start = max(0, whole_number(request.query_params.get("from"), 0))
        info = await self.service.run_codec(self.memory.message, bank, key)
        neighbours = await self._neighbours(bank, info)
        pages = [await self.service.run(self.memory.page, bank, page) for page in info.page_ids]
        lower = {page.id: [tier for tier in all_tiers() if tier_rank(tier) >= tier_rank(page.tier)] for page in pages}
        mark = self.service.settings.gap_mark
        values = {
            "bank": bank,
            "info": info,
            "words": marked_words(info, mark, start=start, stop=start + SHOWN_CHARS),
            "next": start + SHOWN_CHARS if start + SHOWN_CHARS < len(info.text) else None,
            "pages": pages,
            "tiers": lower,
            "around": neighbours,
        }
        return ConsolePage("message.html", values, info)

    async def page_image(self, request: Request) -> Response:
        """The image of a page at a tier."""
        bank = request.path_params["bank"]
        page = request.path_params["page"]
        image = await self.service.run_codec(self.memory.page_image, bank, page, request.query_params.get("tier"))
        return Response(image, media_type="image/png", headers=HEADERS | {"Cache-Control": "private, max-age=60"})

    async def shown_image(self, request: Request) -> Response:
        """An image that a page has shown."""
        image = self.images.get(request.path_params["digest"])
        if image is None:
            raise NotFound("this image is no longer held; load its page again")
        return Response(image[1], media_type=image[0], headers=HEADERS)

    async def policy(self, request: Request) -> ConsolePage:
        """The policy of a bank, and how its pages look at an age."""
        bank = request.path_params["bank"]
        policy = await self.service.run(self.memory.policy, bank)
        age = whole_number(request.query_params.get("age_days"), None)
        return await self.policy_page(bank, policy, previewed=False, age_days=age)

    async def policy_page(
        self, bank: str, policy: Policy, *, previewed: bool, age_days: int | None = None
    ) -> ConsolePage:
        """Returns the page of a policy that is saved, or that is to be. `previewed`: with what it would move;
        `age_days`: the age at which pages are shown, by default that of the first step."""
        forecast = await self.service.run(self.memory.operations.preview_policy, bank, policy)
        tokens = {tier: forecast.tokens_at[tier] for tier in (policy.fresh, *(step.tier for step in policy.steps))}
        days = {step.tier: step.after.total_seconds() / 86_400 for step in policy.steps}
        longest = shown_days(policy)
        age_days = min(max(0, round(min(days.values(), default=0)) if age_days is None else age_days), longest)
        samples = await self.service.run(self._at_age, bank, policy, timedelta(days=age_days), forecast)
        values: dict[str, Any] = {
            "bank": bank,
            "policy": policy,
            "json": json.dumps(policy.model_dump(mode="json"), indent=2, ensure_ascii=False),
            "idle": idle_steps(policy, tokens) if forecast.tiers else [],
            "curve": policy_curve(policy, tokens, age_days),
            "tiers": list(all_tiers()),
            "days": {tier: f"{number:g}" for tier, number in days.items()},
            "age_days": age_days,
            "longest": longest,
            "shown": samples,
            "preview": forecast if previewed else None,
            "samples": await self.service.run(self._moving, bank, policy, forecast) if previewed else [],
        }
        return ConsolePage("policy.html", values, forecast if previewed else policy)

    def _at_age(
        self, bank: str, policy: Policy, age: timedelta, forecast: PolicyForecast
    ) -> list[tuple[PageInfo, str]]:
        """Returns the newest pages of the sharpest tier that a bank has, and the tier of each at an age."""
        sharpest = next((tier for tier, share in forecast.tiers.items() if share.now), None)
        if sharpest is None:
            return []
        pages = self.memory.pages(bank, limit=SAMPLES, tier=sharpest).pages
        return [(page, tier_at(page.tier, policy, age)) for page in pages]

    def _moving(self, bank: str, policy: Policy, forecast: PolicyForecast) -> list[tuple[PageInfo, str]]:
        """Returns pages that would move at once: the oldest, sharpest tier first."""
        now = self.memory.now()
        moves: list[tuple[PageInfo, str]] = []
        for tier in forecast.tiers:
            for page in self.memory.pages(bank, limit=SAMPLES, tier=tier).pages:
                target = tier_at(tier, policy, policy.age_of(page).at(now))
                if target != tier and not page.pinned:
                    moves.append((page, target))
        return moves[:SAMPLES]

    async def health(self, request: Request) -> ConsolePage:
        """The queue, the clock, the database and the latency."""
        jobs = self.memory.operations.jobs
        length = await self.service.run(jobs.length)
        lag = await self.service.run(jobs.lag, self.memory.now())
        latency = self.service.metrics.http.quantiles()
        rows = [
            (f"{name} p{q}", value)
            for name, quantiles in latency
            for q, value in ((50, quantiles[0]), (99, quantiles[1]))
        ][:24]
        now = self.memory.now()
        savings = await self.service.run(self.memory.savings, None, since=now - SAVINGS_SHOWN, limit=SAVINGS_ROWS)
        values = {
            "length": length,
            "space": disk_space(self.memory.operations.database_url),
            "stuck": lag.oldest_job_s > STUCK_S and not length.running,
            "lag": lag,
            "now": now,
            "savings": savings,
            "days": SAVINGS_SHOWN.days,
            "saved_by_day": saved_bars([(row.key, row.saved) for row in savings.rows], text_of("health.by_day")),
            "ageing": self.service.settings.ageing_enabled,
            "database": self.memory.operations.database_url,
            "embedder": self.service.settings.embedder,
            "codec": self.service.settings.codec,
            "latency": latency_bars(rows),
        }
        data = {"jobs_waiting": length.waiting, "jobs_running": length.running, "jobs_failed": length.failed}
        document = data | {"savings": savings.total.model_dump(mode="json")} | {name: value for name, value in rows}
        return ConsolePage("health.html", values, document)

    async def savings(self, request: Request) -> ConsolePage:
        """Savings of a bank."""
        bank = request.path_params["bank"]
        by = SavingsWindow.from_fields({"by": request.query_params.get("by", "day")}).by
        savings = await self.service.run(self.memory.savings, bank, by=by, limit=SAVINGS_ROWS)
        return ConsolePage("savings.html", {"bank": bank, "by": by, "savings": savings}, savings)

    async def _search(self, bank: str, query: str, limit: int, **fields: Any) -> RecallResult:
        query_fields = {"gap_mark": GAP_MARK, "min_relevance": RELEVANCE_FLOOR} | fields
        return await self._recall(bank, query=query, limit=limit, **query_fields)

    async def _recall(self, bank: str, **fields: Any) -> RecallResult:
        """Recalls without an effect on recall weights: what a person looks at is not what agents need."""
        return await self.service.run_codec(self.memory.recall, bank, track=False, **fields)

    def _listed(self, spans: list[RecalledMessage], query: str) -> list[tuple[RecalledMessage, Any, bool]]:
        """Returns messages with their words, cut to `LISTED_CHARS`, and whether they were cut."""
        terms = list(query_terms(query)) if query else []
        return [
            (span, marked_words(span, GAP_MARK, terms, stop=LISTED_CHARS), len(span.text) > LISTED_CHARS)
            for span in spans
        ]

    async def _neighbours(self, bank: str, info: RecalledMessage) -> list[tuple[RecalledMessage, Any, bool]]:
        """Returns the messages around one in its thread."""
        at = info.created_at.astimezone(UTC)
        fields: dict[str, Any] = {"thread": info.thread, "gap_mark": GAP_MARK, "limit": 12}
        result = await self._recall(bank, since=at - timedelta(minutes=30), until=at + timedelta(minutes=30), **fields)
        return self._listed([span for span in result.spans if span.message_id != info.message_id], "")


def _pages(info: BankInfo) -> dict[str, int]:
    return {tier: stats.pages for tier, stats in info.tiers.items()}


def _day(text: str) -> Any:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None
