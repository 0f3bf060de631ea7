"""Endpoints of LiteLLM's compression guardrail: excerpts in place of long older texts, and their exact words."""

from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b, scrypt
from typing import Annotated

from fastapi import Header, Path, Query, Request

from foxing.api.auth import given_key
from foxing.api.dependencies import ServiceDep
from foxing.api.logs import get_logger
from foxing.api.openapi.document import problem_responses
from foxing.api.openapi.examples import TEXT_HASH
from foxing.memory import Access, CompressRequest, CompressResult, RetrieveResult
from foxing.memory.values.compression import RetrieveQuery

from .router import memory_router

router = memory_router("/v1", "recall")

AffinityHeader = Annotated[
    str,
    Header(
        alias="x-headroom-affinity",
        max_length=200,
        description="Distinguishes the sessions of a key, as sent by LiteLLM: each has a bank of its own. Default: a "
        "single bank for the key.",
    ),
]
_BANK_BYTES = 16


@router.post(
    "/compress",
    summary="Compress a conversation for LiteLLM",
    response_description="As many messages, in their order and with their roles.",
)
async def compress(
    service: ServiceDep, request: Request, body: CompressRequest, affinity: AffinityHeader = ""
) -> CompressResult:
    """Returns the conversation with excerpts in place of the long older texts of users and tools. The excerpts are the
    same at every call; further texts are replaced in large steps. Instructions, messages of the model, the last user
    message, the last ten messages of users and tools, and open tool exchanges stay as they are. Stores the texts in a
    bank of the API key and the header `x-headroom-affinity`, which is created if necessary."""
    access = replace(Access.current(), banks=("compress-*",))  # its own, whatever banks the key opens
    bank = access.full_name(await service.run(bank_of, given_key(request.headers), affinity))
    with access.limiting():
        result = await service.run(service.memory.operations.compress, bank, body)
    get_logger().info("compress", bank=bank, saved=result.tokens_saved, new=result.new_hashes, note=result.note)
    if result.new_hashes:
        service.embed_soon(bank)
    return result


@router.get(
    "/retrieve/{hash}",
    summary="Retrieve the text of an excerpt",
    response_description="The text.",
    responses=problem_responses(404),
)
async def retrieve(
    service: ServiceDep,
    request: Request,
    hash: Annotated[
        str,
        Path(
            description="A hash from `ccr_hashes`.",
            examples=[TEXT_HASH],
            json_schema_extra={"pattern": "^[0-9a-f]{24}$"},
        ),
    ],
    affinity: AffinityHeader = "",
    query: Annotated[
        RetrieveQuery | None, Query(description="Return only the passages that match. Default: the whole text.")
    ] = None,
) -> RetrieveResult:
    """Returns the exact text, as remembered, that an excerpt stands for. A hash is answered only to the API key and the
    `x-headroom-affinity` for which the text was compressed; for others it does not exist."""
    access = replace(Access.current(), banks=("compress-*",))
    bank = access.full_name(await service.run(bank_of, given_key(request.headers), affinity))
    with access.limiting():
        return await service.run_codec(service.memory.operations.retrieve, bank, hash, query or None)


@lru_cache(maxsize=10_000)
def bank_of(key: str, affinity: str) -> str:
    """Returns the name of the bank of an API key and an affinity. Trying keys until one gives it takes
    long."""
    name = blake2b(affinity.encode(), key=_derived(key), digest_size=_BANK_BYTES)
    return f"compress-{name.hexdigest()}"


@lru_cache(maxsize=1_000)
def _derived(key: str) -> bytes:
    return scrypt(key.encode("utf-8", "surrogateescape"), salt=b"foxing compress", n=1 << 14, r=8, p=1, dklen=32)
