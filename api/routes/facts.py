"""Endpoints of standing facts: what holds, and how a person pins, corrects or dismisses it."""

from typing import Annotated

from fastapi import Path, Query

from foxing.api.dependencies import BankPath, ServiceDep
from foxing.api.openapi.document import problem_responses
from foxing.memory.values.facts import (
    FACT_TOKENS,
    MAX_FACT_TOKENS,
    MAX_SUBJECT_CHARS,
    Fact,
    FactCorrection,
    Facts,
)

from .router import memory_router

router = memory_router("/v1/banks/{bank}/facts", "facts")

FactPath = Annotated[str, Path(description="Id of the fact.", max_length=40)]
AtQuery = Annotated[
    str | None,
    Query(
        description="Time of which to tell what held: RFC 3339, a date or words, a period at its start. Default: now.",
        max_length=200,
    ),
]
ZoneQuery = Annotated[str | None, Query(description="Time zone of `at`. Default: UTC.", max_length=100)]
SubjectQuery = Annotated[
    str | None,
    Query(
        description="Whom the facts are about: a name, a role, or a word in them.",
        min_length=1,
        max_length=MAX_SUBJECT_CHARS,
        json_schema_extra={"pattern": r"\S"},
    ),
]
TokensQuery = Annotated[int, Query(ge=1, le=MAX_FACT_TOKENS, description="Maximum tokens of the facts as text.")]


@router.get(
    "",
    summary="List what holds",
    response_description="The facts.",
    responses=problem_responses(404),
)
async def list_facts(
    bank: BankPath,
    service: ServiceDep,
    at: AtQuery = None,
    timezone: ZoneQuery = None,
    subject: SubjectQuery = None,
    max_tokens: TokensQuery = FACT_TOKENS,
) -> Facts:
    """Returns the standing facts of a bank: clauses of messages that state what holds, pinned ones first, then the
    newest. They are recognised by rules, without a model: what is only implied is not among them."""
    return await service.recall(
        service.memory.facts, bank, at=at, timezone=timezone, subject=subject, max_tokens=max_tokens
    )


@router.put(
    "/{fact_id}/pin",
    summary="Pin a fact",
    response_description="The fact, pinned.",
    responses=problem_responses(404),
)
async def pin_fact(bank: BankPath, fact_id: FactPath, service: ServiceDep) -> Fact:
    """Pins a fact: it is listed first, and no message ends it."""
    return await service.run_codec(service.memory.pin_fact, bank, fact_id)


@router.delete(
    "/{fact_id}/pin",
    summary="Unpin a fact",
    response_description="The fact, unpinned.",
    responses=problem_responses(404),
)
async def unpin_fact(bank: BankPath, fact_id: FactPath, service: ServiceDep) -> Fact:
    """Unpins a fact. Unpinning one that is not pinned has no effect."""
    return await service.run_codec(service.memory.pin_fact, bank, fact_id, pinned=False)


@router.post(
    "/{fact_id}/correct",
    summary="Correct a fact",
    response_description="The fact that holds instead.",
    responses=problem_responses(404, 409, 413),
)
async def correct_fact(bank: BankPath, fact_id: FactPath, service: ServiceDep, body: FactCorrection) -> Fact:
    """Stores a statement of the user in place of a fact. A repeated call stores nothing new."""
    fact = await service.run_codec(service.memory.correct_fact, bank, fact_id, body.text)
    service.embed_soon(bank)
    return fact


@router.delete(
    "/{fact_id}",
    summary="Dismiss a fact",
    response_description="The fact, which is listed no more.",
    responses=problem_responses(404),
)
async def dismiss_fact(bank: BankPath, fact_id: FactPath, service: ServiceDep) -> Fact:
    """Dismisses a fact: from now on it does not hold. Its message stays as it is."""
    return await service.run_codec(service.memory.dismiss_fact, bank, fact_id)
