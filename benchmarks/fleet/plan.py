"""Capacity plan: cores, databases, storage and cost, from the measured cost of each step and assumptions about the
load."""

from dataclasses import dataclass
from math import ceil

from .costs import Costs

DAY_S = 86_400
MONTH_DAYS = 30
YEAR_DAYS = 365


@dataclass(frozen=True)
class Assumptions:
    """Assumed load and prices. Replace the prices with your own."""

    banks: int = 10_000_000
    messages_per_day: int = 1_000_000_000
    recalls_per_message: float = 0.2
    #: load of the busiest hour, relative to the mean
    peak: float = 3.0
    #: share of a core that is used at the peak
    utilisation: float = 0.6
    #: CPU seconds of PostgreSQL per store; measured with `benchmarks.load`, see docs/LOG.md
    database_store_s: float = 0.000_36
    #: years for which messages are kept
    years: float = 3.0
    #: banks per database
    banks_per_shard: int = 20_000
    #: copies of the data: primary, standby, backups
    copies: float = 3.0
    #: dollars per hour of a virtual core, and per month of a GB
    core_hour: float = 0.04
    gb_month: float = 0.10


@dataclass(frozen=True)
class Plan:
    """Resources needed. Cores are those needed at the peak, except for sealing and ageing, which can wait and are
    planned for the mean."""

    shards: int
    messages_per_shard_and_second: float
    api_cores: int
    database_cores: int
    recall_cores: int
    seal_cores: int
    #: tier → cores
    age_cores: dict[str, int]
    worker_cores: int
    pages_per_day: int
    #: seconds that the workers take for all pages that become due in an hour
    hour_of_pages_s: float
    storage_tb: float
    storage_tb_per_shard: float
    core_dollars_per_month: int
    storage_dollars_per_month: int
    dollars_per_million_messages: float


def plan(costs: Costs, use: Assumptions) -> Plan:
    """Returns the plan for a steady state, in which as many pages reach each tier as are sealed."""
    second = use.messages_per_day / DAY_S
    pages = use.messages_per_day / costs.messages_per_page
    at_peak = use.peak / use.utilisation

    def steady(seconds_per_page: float) -> int:
        return ceil(pages * seconds_per_page / DAY_S / use.utilisation)

    api = ceil(second * costs.store_http_s * at_peak)
    database = ceil(second * use.database_store_s * at_peak)
    recall = ceil(second * use.recalls_per_message * costs.recall_s * at_peak)
    seal = steady(costs.seal_s_per_page)
    age = {tier: steady(seconds) for tier, seconds in costs.age_s_per_page.items()}
    workers = seal + sum(age.values())
    shards = ceil(use.banks / use.banks_per_shard)
    storage = _storage_tb(costs, use)
    cores = api + database + recall + workers
    core_dollars = cores * use.core_hour * 24 * MONTH_DAYS
    storage_dollars = storage * 1_000 * use.gb_month
    monthly = use.messages_per_day * MONTH_DAYS / 1e6
    per_page = costs.seal_s_per_page + sum(costs.age_s_per_page.values())
    return Plan(
        shards=shards,
        messages_per_shard_and_second=round(second / shards, 1),
        api_cores=api,
        database_cores=database,
        recall_cores=recall,
        seal_cores=seal,
        age_cores=age,
        worker_cores=workers,
        pages_per_day=round(pages),
        hour_of_pages_s=round(pages / 24 * per_page / workers, 1),
        storage_tb=round(storage, 1),
        storage_tb_per_shard=round(storage / shards, 3),
        core_dollars_per_month=round(core_dollars),
        storage_dollars_per_month=round(storage_dollars),
        dollars_per_million_messages=round((core_dollars + storage_dollars) / monthly, 3),
    )


def _storage_tb(costs: Costs, use: Assumptions) -> float:
    """Terabytes of all copies of the kept messages, aged by the default policy."""
    size = costs.bytes_per_message
    days = use.years * YEAR_DAYS
    held = {
        "base": min(days, 7) * size["base"],
        "small": max(0.0, min(days, 30) - 7) * size["small"],
        "tiny": max(0.0, min(days, YEAR_DAYS) - 30) * size["tiny"],
        "micro": max(0.0, days - YEAR_DAYS) * size["micro"],
        # each step moves data to the trash, which keeps it for a week
        "trash": 3 * 7 * costs.trash_bytes_per_message,
    }
    return use.messages_per_day * sum(held.values()) * use.copies / 1e12
