"""A memory, an upstream, and wrapped clients."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory
from tests.upstream import Upstream

MODEL = "claude-fable-5-1"
#: Said in an earlier conversation.
FACT = "We ship Titan on 14 March, without offline maps."
QUESTION = "When do we ship Titan?"
#: Options of `wrap`, which a test may change.
Options = dict[str, Any]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def options(shared_memory: Memory, bank: str, tmp_path: Path) -> Options:
    """A bank that remembers a fact. A test is not about the deadline unless it says so."""
    message = {"role": "user", "content": FACT, "created_at": "2026-10-01T10:00:00Z"}
    shared_memory.store(bank, [message], thread="earlier")
    return {"memory": shared_memory, "bank": bank, "journal": tmp_path / "wrap.db", "deadline_s": 60.0}


@pytest.fixture
def claude(upstream: Upstream, options: Options) -> Iterator[Anthropic]:
    with wrap(Anthropic(base_url=upstream.url, api_key="key", max_retries=0), **options) as client:
        yield client
        flush(client)


@pytest.fixture
def gpt(upstream: Upstream, options: Options) -> Iterator[OpenAI]:
    with wrap(OpenAI(base_url=upstream.openai_url, api_key="key", max_retries=0), **options) as client:
        yield client
        flush(client)


@pytest.fixture
def stored(shared_memory: Memory, bank: str) -> Callable[[object], list[tuple[str, str]]]:
    """Role and text of what a client stored, in order, once all of it is."""

    def read(client: object) -> list[tuple[str, str]]:
        assert flush(client)
        return [(each.role, each.text) for each in shared_memory.export(bank) if each.thread != "earlier"]

    return read


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Any:
    return {"role": "assistant", "content": content}
