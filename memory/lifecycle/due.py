"""Work that is due in banks, from their schedule and their policies."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from foxing.memory.storage.repositories import schedule
from foxing.memory.storage.repositories.banks import Bank
from foxing.memory.values.policy import Policy
from foxing.renderer import all_tiers

from .plan import first_changes


class DueBanks(NamedTuple):
    """Work that is due in some banks."""

    #: ids of the banks whose open messages may have to be sealed
    to_seal: set[int]
    #: bank id → number of pages that its policy changes
    to_age: Counter[int]


def due_in(connection: Connection, banks: Sequence[Bank], now: datetime) -> DueBanks:
    """Returns what is due at `now`. Pages are counted only in banks in which the schedule has ageing due, with one
    query for each distinct policy. Steps to tiers that the codec lacks count until the scheduler has looked at the
    bank."""
    due = schedule.due_banks(connection, [bank.id for bank in banks], now)
    by_policy: dict[str, list[int]] = {}
    for bank in banks:
        if (bank.id, "age") in due:
            by_policy.setdefault(json.dumps(bank.policy, sort_keys=True), []).append(bank.id)
    to_age = Counter[int]()
    for fields, bank_ids in by_policy.items():
        policy = Policy.parse(json.loads(fields))
        first = first_changes(policy, all_tiers())
        if first and policy.unpaused(now) <= now:
            to_age |= schedule.count_to_age(connection, bank_ids, first, now, policy.age_from)
    return DueBanks({bank for bank, kind in due if kind == "seal"}, to_age)
