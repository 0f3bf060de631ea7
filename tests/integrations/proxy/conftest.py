"""A memory, a strict upstream, and a proxy between."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic
from openai import OpenAI

from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import Memory
from tests.upstream import Upstream

#: Binds thinking, and has no page images: a test folds in milliseconds.
MODEL = "claude-opus-5-5"
BANK = "agent"

StartProxy = Callable[..., BackgroundProxy]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def memory(tmp_path: Path, words_alone: None) -> Iterator[Memory]:
    with Memory(tmp_path / "bank.db") as memory:
        yield memory


@pytest.fixture
def start(upstream: Upstream, memory: Memory, tmp_path: Path) -> Iterator[StartProxy]:
    """Starts a proxy; `target`: what holds the bank. A test is not about limits of time unless it says so."""
    with ExitStack() as stack:

        def start(target: Any = None, **fields: Any) -> BackgroundProxy:
            given = {
                "upstream": upstream.url,
                "bank": BANK,
                "budget": 8_000,
                "reader": "text",
                "journal": tmp_path / "proxy.db",
                "probe_s": 60.0,
                "fold_s": 60.0,
            }
            options = ProxyOptions(**{**given, **fields})
            return stack.enter_context(BackgroundProxy(options, lambda: memory if target is None else target))

        yield start


@pytest.fixture
def proxy(start: StartProxy) -> BackgroundProxy:
    return start()


@pytest.fixture
def claude(proxy: BackgroundProxy) -> Iterator[Anthropic]:
    with Anthropic(base_url=proxy.url, api_key="sk-ant-secret", max_retries=0) as client:
        yield client


@pytest.fixture
def gpt(proxy: BackgroundProxy) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="sk-secret", max_retries=0) as client:
        yield client
