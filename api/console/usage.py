"""Page of usage."""

from collections import Counter
from dataclasses import dataclass

from starlette.requests import Request

from foxing.api.dependencies import Service
from foxing.memory import Access, UsageLimits, UsageReport

from .rendering import ConsolePage

#: Days in which a tenant has done something, for it to be shown.
DAYS = 30
COUNTS = ("requests", "recalls", "messages", "bytes", "image_tokens")


@dataclass(frozen=True)
class TenantToday:
    """Usage of a tenant today, in UTC, and its limits."""

    #: None for callers without one.
    tenant: str | None
    counts: dict[str, int]
    limits: UsageLimits


class UsagePages:
    """Shows what tenants use, and may use."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.limits = service.memory.operations.limits

    async def page(self, request: Request) -> ConsolePage:
        """The usage of today by tenant, beside its limits."""
        report = await self.service.run(self.limits.usage, days=DAYS)
        names = {row.tenant for row in report.rows} | {Access.current().tenant}
        tenants = await self.service.run(self._today, report, sorted(names, key=lambda name: name or ""))
        rows = [
            {"tenant": row.tenant, **row.counts, "limits": row.limits.model_dump(mode="json", exclude_none=True)}
            for row in tenants
        ]
        return ConsolePage("usage.html", {"tenants": tenants, "counts": COUNTS, "days": DAYS}, {"tenants": rows})

    def _today(self, report: UsageReport, names: list[str | None]) -> list[TenantToday]:
        today = self.service.memory.now().date()
        counts = {name: Counter(dict.fromkeys(COUNTS, 0)) for name in names}
        for row in report.rows:
            if row.day == today:
                counts[row.tenant].update({name: getattr(row, name) for name in COUNTS})
        return [TenantToday(name, dict(counts[name]), self.limits.get(name)) for name in names]
