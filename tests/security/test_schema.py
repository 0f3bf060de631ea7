"""Requests that schemathesis makes from the OpenAPI document, valid and invalid: the service answers as it says.

The number of requests is fixed and their seed as well, so that a failure can be repeated. More of them:

    SCHEMA_TEST_TIMES=20 python -m pytest tests/security/test_schema.py
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis.checks import CHECKS
from schemathesis.core.errors import InvalidSchema
from schemathesis.generation import GenerationMode

from foxing.api.app import create_app
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.memory import Memory

TIMES = int(os.environ.get("SCHEMA_TEST_TIMES", "1"))
EXAMPLES = 18 * TIMES  # for each operation
RUNS = 9 * TIMES  # of operations that follow on each other
STEPS = 8  # operations in each run
#: Requests create keys, after which the service asks for one.
KEY = "key-of-the-requests"
HEADERS = {"Authorization": f"Bearer {KEY}"}
#: Problems of rules that a schema cannot express: words that name a time, a cursor that was given, ages in order, the
#: readers of the settings, the format of a file.
INEXPRESSIBLE = (
    *("invalid-time", "invalid-cursor", "invalid-policy", "invalid-input", "time-travel-forbidden"),
    "unknown-reader",
    "choice-needed",
    "invalid-bundle",
)
settings = hypothesis.settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],  # a failure is shown as it was found
)

# The service runs in this process: what its threads draw from `random` is taken for the work of a strategy.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")


def document() -> dict[str, Any]:
    """The OpenAPI document without keys: every request has one."""
    found = create_app(load_settings({})).openapi()
    for methods in found["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    drop_images(found["components"]["schemas"])
    return found


def drop_images(value: Any) -> None:
    """Leaves out the part whose data are an image: nothing that is generated for its schema is one."""
    if isinstance(value, dict):
        if isinstance(value.get("oneOf"), list):
            value["oneOf"] = [one for one in value["oneOf"] if not str(one.get("$ref")).endswith("/ImagePart")]
            value.get("discriminator", {}).get("mapping", {}).pop("image", None)
        value.pop("ImagePart", None)
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        drop_images(inner)


SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
#: Rules that a schema does not state: the size of metadata, the length of vectors, an order that needs `exact`,
#: banks of a key that opens all.
BETWEEN_VALUES = (
    "gaps must be the offsets",
    *(".metadata: ", "vectors differ in length", "requires exact: true", "original_prefix cannot exceed"),
    "session and answer need provider",
    "an admin key opens all banks",
    "give bank or person",
    "give expires_at or expires_after",
)
REJECTED, ACCEPTED = CHECKS.get_one("positive_data_acceptance"), CHECKS.get_one("negative_data_rejection")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with a bank that has pages and open messages."""
    path: Path = tmp_path_factory.mktemp("schema") / "foxing.db"
    with Memory(path) as memory:
        memory.store("agent-7", [{"id": f"m{n}", "role": "user", "content": f"Titan, note {n}"} for n in range(30)])
        memory.seal("agent-7")
        memory.store("agent-7", [{"id": "open", "role": "user", "content": "Is it still March?"}])
        app = create_app(load_settings({"ageing_enabled": False, "time_travel": True, "api_key": KEY}), memory)
        with BackgroundServer(app) as server:
            yield server.url


def check(case: schemathesis.Case, url: str) -> None:
    """Sends a request and checks the response."""
    response = case.call(base_url=url, headers=HEADERS, timeout=120)
    excluded = [REJECTED, ACCEPTED] if of_a_provider(case) else [REJECTED]
    case.validate_response(response, excluded_checks=excluded)
    if case.meta is not None and case.meta.generation.mode.is_positive and response.status_code == 422:
        problem = response.json()
        known = problem["type"].rpartition(":")[2] in INEXPRESSIBLE or of_a_provider(case)
        assert known or any(rule in problem["detail"] for rule in BETWEEN_VALUES), response.text


def of_a_provider(case: schemathesis.Case) -> bool:
    """Whether the messages are said to be in the format of a provider, which the document does not describe."""
    return isinstance(case.body, dict) and case.body.get("provider") is not None


@st.composite
def drawn(draw: st.DrawFn, cases: st.SearchStrategy[schemathesis.Case]) -> schemathesis.Case:
    """A case, without those that schemathesis begins and cannot finish: it places a wrong element in a list for which
    it finds none."""
    try:
        return draw(cases)
    except InvalidSchema:
        hypothesis.reject()


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_as_the_document_says(label: str, url: str) -> None:
    operation = OPERATIONS[label]
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if operation.path_parameters or operation.query or operation.body:
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @hypothesis.settings(settings, max_examples=EXAMPLES)
    @hypothesis.given(case=drawn(cases))
    def send(case: schemathesis.Case) -> None:
        check(case, url)

    send()


def test_operations_that_follow_on_each_other(url: str) -> None:
    machine: Any = SCHEMA.as_state_machine()
    machine.get_call_kwargs = lambda self, case: {"base_url": url, "headers": HEADERS, "timeout": 120}
    machine.validate_response = lambda self, response, case, **options: check_answer(response, case)
    machine.run(settings=hypothesis.settings(settings, max_examples=RUNS))


def check_answer(response: Any, case: schemathesis.Case) -> None:
    excluded = [REJECTED, ACCEPTED] if of_a_provider(case) else [REJECTED]
    case.validate_response(response, excluded_checks=excluded)
