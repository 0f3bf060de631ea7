"""The OpenAPI document is complete, and its examples are valid."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from support.service import serve

from foxing.api.app import create_app
from foxing.api.openapi.document import examples_of
from foxing.api.routes import ROUTERS
from foxing.api.settings import Settings
from foxing.memory import Memory

PATHS = {
    "/v1/banks": {"get"},
    "/v1/banks/{bank}": {"get", "delete"},
    "/v1/banks/{bank}/age": {"post"},
    "/v1/banks/{bank}/bundle": {"post"},
    "/v1/banks/{bank}/export": {"get"},
    "/v1/banks/{bank}/facts": {"get"},
    "/v1/banks/{bank}/facts/{fact_id}": {"delete"},
    "/v1/banks/{bank}/facts/{fact_id}/correct": {"post"},
    "/v1/banks/{bank}/facts/{fact_id}/pin": {"put", "delete"},
    "/v1/banks/{bank}/fetch": {"get"},
    "/v1/banks/{bank}/import": {"post"},
    "/v1/banks/{bank}/import/{import_id}": {"get", "delete"},
    "/v1/banks/{bank}/jobs": {"get"},
    "/v1/banks/{bank}/jobs/{job_id}": {"get", "delete"},
    "/v1/jobs/{job_id}": {"get", "delete"},
    "/v1/banks/{bank}/messages": {"post"},
    "/v1/banks/{bank}/messages/{message_id}": {"get", "delete"},
    "/v1/banks/{bank}/pages": {"get"},
    "/v1/banks/{bank}/pages/{page_id}": {"get"},
    "/v1/banks/{bank}/pages/{page_id}/image": {"get"},
    "/v1/banks/{bank}/pages/{page_id}/pin": {"put", "delete"},
    "/v1/banks/{bank}/pages/{page_id}/preview": {"get"},
    "/v1/banks/{bank}/pages/{page_id}/read": {"get"},
    "/v1/banks/{bank}/pages/{page_id}/tokens": {"get"},
    "/v1/banks/{bank}/policy": {"get", "put"},
    "/v1/banks/{bank}/quarantine": {"get"},
    "/v1/banks/{bank}/quarantine/{message_id}": {"delete"},
    "/v1/banks/{bank}/quarantine/{message_id}/release": {"post"},
    "/v1/banks/{bank}/recall": {"post"},
    "/v1/banks/{bank}/context": {"post"},
    "/v1/banks/{bank}/fold": {"post"},
    "/v1/banks/{bank}/savings": {"get", "post"},
    "/v1/banks/{bank}/savings.csv": {"get"},
    "/v1/compress": {"post"},
    "/v1/retrieve/{hash}": {"get"},
    "/v1/banks/{bank}/records": {"post"},
    "/v1/banks/{bank}/records/get": {"post"},
    "/v1/banks/{bank}/records/namespaces": {"post"},
    "/v1/banks/{bank}/records/search": {"post"},
    "/v1/banks/{bank}/reencode": {"post"},
    "/v1/banks/{bank}/seal": {"post"},
    "/v1/banks/{bank}/threads": {"get"},
    "/v1/banks/{bank}/threads/{thread}": {"delete", "patch"},
    "/v1/banks/{bank}/undo": {"post"},
    "/v1/audit": {"get"},
    "/v1/erase": {"post"},
    "/v1/export": {"get"},
    "/v1/holds": {"get", "post"},
    "/v1/holds/{hold_id}": {"delete"},
    "/v1/keys": {"get", "post"},
    "/v1/keys/{key_id}": {"delete"},
    "/v1/keys/{key_id}/rotate": {"post"},
    "/v1/usage": {"get"},
    "/v1/tenants/{tenant}/limits": {"get", "put"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}
#: These create the bank if there is none.
CREATE_BANK = (
    *("post /v1/banks/{bank}/messages", "post /v1/banks/{bank}/records", "put /v1/banks/{bank}/policy"),
    "post /v1/banks/{bank}/import",
    "post /v1/banks/{bank}/fold",
    "post /v1/banks/{bank}/savings",
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with Memory(tmp_path_factory.mktemp("openapi") / "foxing.db") as memory, serve(memory) as client:
        loaded: dict[str, Any] = client.get("/openapi.json").json()
        return loaded


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_document_lists_every_path(document: dict[str, Any]) -> None:
    assert {path: set(methods) for path, methods in document["paths"].items()} == PATHS


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= tags, name
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (name, parameter["name"])
    identities = [operation["operationId"] for _, operation in operations(document)]
    assert len(identities) == len(set(identities))


def test_every_success_response_has_a_schema_or_is_binary(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        successes = [r for status, r in operation["responses"].items() if status.startswith("2") and status != "202"]
        assert len(successes) == 1, name
        for media_type, content in successes[0]["content"].items():
            if media_type in ("application/json", "text/plain"):
                assert content["schema"], name
            else:
                assert content["schema"]["format"] == "binary", name


def test_every_request_body_has_an_example(document: dict[str, Any]) -> None:
    bodies = [
        (name, operation["requestBody"]["content"])
        for name, operation in operations(document)
        if "requestBody" in operation
    ]
    assert len(bodies) == 24
    for name, content in bodies:
        if name in ("post /v1/banks/{bank}/import", "post /v1/banks/{bank}/bundle"):  # a file
            assert content["application/octet-stream"]["schema"]["format"] == "binary"
            continue
        for example in content["application/json"]["examples"].values():
            assert example["summary"], name
            assert "value" in example, name


def test_every_error_response_is_a_problem_with_an_example(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        failures = {status: r for status, r in operation["responses"].items() if not status.startswith("2")}
        assert "500" in failures, name
        assert "421" in failures, name
        if "/v1/" in name:
            assert {"401", "403", "422", "503"} <= set(failures), name
        if "{bank}" in name and not name.endswith(CREATE_BANK):
            assert "404" in failures, name
        if "requestBody" in operation:
            assert {"408", "413", "415"} <= set(failures), name
            assert ("400" in failures) == ("application/json" in operation["requestBody"]["content"]), name
        for status, response in failures.items():
            content = response["content"]
            assert list(content) == ["application/problem+json"], (name, status)
            assert content["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["application/problem+json"]["example"]["status"] == int(status)


def test_operations_on_data_require_the_key(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for name, operation in operations(document):
        protected = "/v1/" in name or name == "get /metrics"
        assert bool(operation.get("security")) == protected, name


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    schemas = document["components"]["schemas"]
    missing = {ref for ref in references(document) if ref.removeprefix("#/components/schemas/") not in schemas}
    assert missing == set()


def test_every_example_is_a_value_of_its_type() -> None:
    document = create_app(Settings.model_construct()).openapi()
    checked = 0
    for route in (route for router in ROUTERS for route in router.routes):
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            if route.body_field is None:
                continue
            expected = TypeAdapter(route.body_field.field_info.annotation)
            for _, example in examples_of(operation["requestBody"]["content"].get("application/json", {})):
                shown = expected.dump_python(expected.validate_python(example), by_alias=True)
                assert set(shown) >= set(example), route.name
                checked += 1
    assert checked == 27


def test_the_reference_works_without_network(client: httpx.Client, document: dict[str, Any]) -> None:
    response = client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    page = response.text
    for _, operation in operations(document):
        assert operation["operationId"] in page
        assert operation["summary"] in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
