"""Responses in JSON Lines."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel

JSON_LINES = "application/jsonl"
#: Values that are read together.
READ_AT_ONCE = 50


async def json_lines(run: Callable[..., Awaitable[Any]], values: Iterator[BaseModel]) -> AsyncIterator[bytes]:
    """Yields values, one JSON object a line. `run`: `Service.run`, or `run_codec` where pages are read."""
    while part := await run(list, islice(values, READ_AT_ONCE)):
        for value in part:
            yield value.model_dump_json().encode("utf-8", "backslashreplace") + b"\n"
