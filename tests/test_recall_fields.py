"""A field of a recall or a context is declared once, and every interface has it: HTTP, Python, clients, CLI and MCP."""

import inspect
from collections.abc import Callable
from typing import get_type_hints

import pytest
import typer
from pydantic import BaseModel

from foxing.api.cli.main import app
from foxing.api.schemas import RecallRequest
from foxing.integrations.client import AsyncClient, Client
from foxing.integrations.mcp.tools import PageTools
from foxing.memory import AsyncMemory, ContextRequest, Memory, RecallQuery
from foxing.memory.values.recall import ImageQueryFields, QueryFields, TextQueryFields, fields_only_for
from foxing.memory.values.records import RecordSearch, RecordSearchFields

#: Fields that an interface leaves out, each with the reason.
APART = {
    "foxing recall": {
        "metadata": "is --where, several times",
        "cursor": "a larger --limit shows more",
        "reader": "for images, which a terminal does not show",
    },
    "foxing context": dict.fromkeys(
        ("messages", "prices"), "the messages of a prompt and its prices come from a program"
    ),
    "recall": dict.fromkeys(
        (
            *("now", "timezone", "metadata", "limit", "cursor", "neighbours", "neighbour_text"),
            *("fidelity", "gap_mark", "explain"),
        ),
        "a model asks in words, and is answered within max_tokens",
    ),
    "recall_pages": dict.fromkeys(("now", "timezone", "metadata", "cursor"), "a model asks in words"),
    "build_context": dict.fromkeys(
        (
            "messages",
            "now",
            "timezone",
            "form",
            "keepsakes",
            "show",
            "min_relevance",
            "images_used",
            "cached_tokens",
            "omit",
            "prices",
        ),
        "the tool answers with blocks of MCP, and with the floor of a context",
    ),
}


def fields_for(format: str) -> set[str]:
    other = fields_only_for("text" if format == "images" else "images")
    return set(RecallQuery.model_fields) - set(other)


def test_the_keywords_of_a_recall_are_its_fields() -> None:
    for typed, format in ((TextQueryFields, "text"), (ImageQueryFields, "images")):
        assert set(get_type_hints(typed)) | {"query"} == fields_for(format)
    assert set(get_type_hints(RecordSearchFields)) == set(RecordSearch.model_fields)
    assert set(get_type_hints(QueryFields)) | {"query"} == fields_for("text") & fields_for("images")


def test_the_body_of_a_recall_is_the_query_and_its_format() -> None:
    assert RecallRequest.model_fields.keys() - RecallQuery.model_fields.keys() == {"format"}
    for name, field in RecallQuery.model_fields.items():
        body = RecallRequest.model_fields[name]
        assert (body.description, body.default, body.metadata) == (field.description, field.default, field.metadata)


@pytest.mark.parametrize("name", ["recall", "recall_images", "context"])
def test_a_memory_and_the_clients_take_the_same(name: str) -> None:
    kinds = (Memory, AsyncMemory, Client, AsyncClient)
    signatures = [inspect.signature(vars(kind)[name]).parameters for kind in kinds]
    # a service has no door for who only looks
    shown = [[(each.name, each.kind) for each in all_.values() if each.name != "track"] for all_ in signatures]
    assert shown.count(shown[0]) == len(kinds)


@pytest.mark.parametrize(("name", "model"), [("recall", RecallQuery), ("context", ContextRequest)])
def test_a_command_has_every_field(name: str, model: type[BaseModel]) -> None:
    group = typer.main.get_group(app)
    command = group.get_command(group.make_context("foxing", [], resilient_parsing=True), name)
    assert command is not None
    assert command.callback is not None
    parameters = inspect.signature(inspect.unwrap(command.callback)).parameters
    assert set(model.model_fields) - set(parameters) == APART[f"foxing {name}"].keys()
    shown = {option.name: option for option in command.params}
    for field_name, field in model.model_fields.items():
        if field_name in parameters and field_name not in ("query", "reader", "now", "timezone"):
            assert shown[field_name].help == field.description
            assert field.is_required() or shown[field_name].default == field.default


@pytest.mark.parametrize(
    ("tool", "fields"),
    [
        (PageTools.recall, fields_for("text")),
        (PageTools.recall_pages, fields_for("images")),
        (PageTools.build_context, set(ContextRequest.model_fields)),
    ],
)
def test_a_tool_has_every_field(tool: Callable[..., object], fields: set[str]) -> None:
    assert fields - set(inspect.signature(tool).parameters) == APART[tool.__name__].keys()
