"""Probes of the HTTP routes: each text of each example body, each list, each parameter of the path and the query."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from foxing.api.app import create_app
from foxing.api.settings import load_settings

from .probes import LIBRARY, Call, Probe, World
from .shapes import TEXTS, nested

MESSAGE = 1_000_000  # characters of a message, within its limit of 1 MiB
BODY = 4_000_000  # bytes of a body, within its limit of 4 MiB
URL = 16_000  # characters of a parameter
NESTED = 100_000  # levels of a body
CAP_S = 2.0  # of a message: parsing, redaction and checks
#: Texts that are tried with every shape; others are tried with one text that has something of each.
EVERY_SHAPE = {
    "store_messages": "messages.*.content",
    "recall": "query",
    "context": "query",
    "compress": "messages.*.content",
    "fold": "messages.*.content",
    "write_records": "writes.*.value.drink",
}
#: Paths that write, into a bank of their own.
WRITTEN = ("/messages", "/records", "/policy", "/savings", "/fold")
METHODS = ("get", "put", "post", "delete")

Document = Mapping[str, Any]


def route_probes() -> Iterator[Probe]:
    """Yields the probes of every operation of the OpenAPI document. Raises `ValueError` for an operation with a JSON
    body and no example."""
    document = create_app(load_settings({"ageing_enabled": False, "embedder": "none"})).openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in METHODS:
                yield from _operation_probes(document, path, method, operation)


def _operation_probes(document: Document, path: str, method: str, operation: Document) -> Iterator[Probe]:
    entry = f"{method.upper()} {path}"
    for parameter in operation.get("parameters", ()):
        if parameter["in"] in ("path", "query") and parameter["name"] != "bank":
            yield Probe(entry, f"{parameter['name']} of everything", URL, _of_parameter(path, method, parameter))
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return
    body = content["application/json"]
    examples = [example["value"] for example in body.get("examples", {}).values()]
    if not examples:
        raise ValueError(f"{entry} has a JSON body and no example; add one to api/openapi/examples.py")
    yield Probe(entry, "nested arrays", NESTED, _raw(path, method, nested))
    yield Probe(entry, "members", BODY // 16, _raw(path, method, _members))
    yield Probe(entry, "spaces", BODY, _raw(path, method, lambda size: " " * size + "{}"))
    seen = set[str]()
    for example in examples:
        for place in _places(example):
            label = ".".join("*" if isinstance(step, int) else str(step) for step in place)
            if label in seen:
                continue
            seen.add(label)
            value = _at(example, place)
            if isinstance(value, str):
                limit = _max_length(document, body["schema"], place) or MESSAGE
                names = list(TEXTS) if EVERY_SHAPE.get(operation["operationId"]) == label else ["everything"]
                for name in names:
                    cap = CAP_S if operation["operationId"] == "store_messages" else None
                    call = _of_body(path, method, example, place, TEXTS[name])
                    yield Probe(entry, f"{label} of {name}", limit, call, cap)
            elif isinstance(value, list) and value:
                limit = BODY // (len(json.dumps(value[-1])) + 40)
                yield Probe(entry, f"{label} repeated", limit, _of_list(path, method, example, place))


def _of_parameter(path: str, method: str, parameter: Document) -> Callable[[World, int], Call]:
    def prepare(world: World, size: int) -> Call:
        # In a URL a character may take nine; the limit is on the URL.
        text = TEXTS["everything"](size).encode("ascii", "ignore").decode().replace("\n", " ")[: size // 3]
        url = path.replace("{bank}", LIBRARY)
        if parameter["in"] == "path":
            url, query = url.replace(f"{{{parameter['name']}}}", _quoted(text)), {}
        else:
            query = {parameter["name"]: text}
        url = url if "{" not in url else url.replace("{", "").replace("}", "")
        return lambda: world.client.request(method, url, params=query).status_code

    return prepare


def _quoted(text: str) -> str:
    return "".join(character if character.isalnum() else f"%{ord(character):02x}" for character in text)


def _raw(path: str, method: str, make: Callable[[int], str]) -> Callable[[World, int], Call]:
    def prepare(world: World, size: int) -> Call:
        return _sent(world, path, method, make(size).encode())

    return prepare


def _members(count: int) -> str:
    return "{" + ",".join(f'"m{number:08}":1' for number in range(count)) + "}"


def _of_body(
    path: str, method: str, example: Any, place: tuple[str | int, ...], make: Callable[[int], str]
) -> Callable[[World, int], Call]:
    def prepare(world: World, size: int) -> Call:
        text = make(size)
        while len(text.encode("utf-8", "replace")) > MESSAGE:  # limits count bytes
            text = text[: len(text) // 2]
        return _sent(world, path, method, _dumped(_with(example, place, text)))

    return prepare


def _of_list(path: str, method: str, example: Any, place: tuple[str | int, ...]) -> Callable[[World, int], Call]:
    def prepare(world: World, size: int) -> Call:
        items = _at(example, place)
        repeated = [_without_ids(items[number % len(items)], number) for number in range(size)]
        return _sent(world, path, method, _dumped(_with(example, place, repeated)))

    return prepare


def _without_ids(item: Any, number: int) -> Any:
    """Returns an item that differs from the others where it has an id, so that none is a conflict."""
    if isinstance(item, dict):
        return {key: f"{value}-{number}" if key == "id" else value for key, value in item.items()}
    return item


def _sent(world: World, path: str, method: str, body: bytes) -> Call:
    bank = world.new_bank() if path.endswith(WRITTEN) else LIBRARY
    url = path.replace("{bank}", bank).replace("{", "").replace("}", "")
    headers = {"content-type": "application/json"}
    return lambda: world.client.request(method, url, content=body, headers=headers).status_code


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yields the places of the texts and lists of a JSON value, deepest last."""
    if isinstance(value, str | list) and place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*place, key))


def _at(value: Any, place: tuple[str | int, ...]) -> Any:
    for step in place:
        value = value[step]
    return value


def _with(value: Any, place: tuple[str | int, ...], item: Any) -> Any:
    changed = deepcopy(value)
    _at(changed, place[:-1])[place[-1]] = item
    return changed


def _max_length(document: Document, schema: Document, place: tuple[str | int, ...]) -> int | None:
    """Returns the greatest `maxLength` that the schema gives the text at a place; None if it gives none."""
    candidates = _resolved(document, schema)
    for step in place:
        below = list[Document]()
        for each in candidates:
            item = each.get("items") if isinstance(step, int) else each.get("properties", {}).get(step)
            item = item or (each.get("additionalProperties") if isinstance(step, str) else None)
            if isinstance(item, dict):
                below += _resolved(document, item)
        candidates = below
    return max((each["maxLength"] for each in candidates if "maxLength" in each), default=None)


def _resolved(document: Document, schema: Document) -> list[Document]:
    """Returns a schema as its alternatives, without references."""
    if "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _resolved(document, target)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    return [schema] if not choices else [each for choice in choices for each in _resolved(document, choice)]
