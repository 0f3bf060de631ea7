"""A running service, its client, and a bank with a conversation."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.memory import Memory

BANK = "agent-7"
BANK_PATH = f"/v1/banks/{BANK}"
MESSAGES = 24
TIMEOUT_S = 600  # reached only by a test that fails
STARTS_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
#: Soon after the conversation, and when its page is due for `tiny`.
NOW = "2026-01-05T12:00:00Z"
LATER = "2026-02-20T12:00:00Z"

FACTS = (
    "We ship Titan on 14 March, whatever happens.",
    "The staging database moved to the new cluster on Friday.",
    "Please remember that Mina prefers tea over coffee.",
)


def _client(url: str) -> httpx.Client:
    # without the certificates of all authorities, whose reading takes as long as a small test
    return httpx.Client(base_url=url, timeout=TIMEOUT_S, verify=False)


@contextmanager
def serve(memory: Memory | None = None, *, token: str | None = None, **settings: Any) -> Iterator[httpx.Client]:
    """A client of a running service. The clock is off unless `settings` enable it. `token`: of its announcement."""
    app = create_app(load_settings({"ageing_enabled": False, **settings}), memory, token=token)
    with BackgroundServer(app) as server, _client(server.url) as client:
        yield client


def ok(response: httpx.Response) -> Any:
    """The JSON body of a response that must have status 200."""
    assert response.status_code == 200, response.text
    return response.json()


def check_problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The body of a response that must be this problem document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:foxing:problem:{slug}"
    assert document["status"] == status
    assert document["title"]
    assert len(document["detail"]) > 10
    assert "Traceback" not in response.text
    return document


def metric_samples(client: httpx.Client) -> dict[str, float]:
    """The samples of /metrics by "name{labels}"."""
    samples = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


def store_conversation(memory: Memory) -> None:
    """Stores `MESSAGES` messages, a minute apart, in thread "titan" of the bank, whose ages count from then."""
    memory.set_policy(BANK, {"age_from": "message"})
    memory.store(
        BANK,
        [
            {
                "id": f"m{number}",
                "role": "user" if number % 2 == 0 else "assistant",
                "content": f"{FACTS[number % 3]} (note {number})",
                "created_at": STARTS_AT + timedelta(minutes=number),
            }
            for number in range(MESSAGES)
        ],
        thread="titan",
    )


def seal(client: httpx.Client) -> str:
    """Seals the conversation; returns the id of its one page."""
    report = ok(client.post(f"{BANK_PATH}/seal", json={"now": NOW}, params={"wait": 60}))
    assert report["messages"] == MESSAGES
    assert report["open_messages"] == 0
    assert len(report["pages"]) == 1
    return str(report["pages"][0])
