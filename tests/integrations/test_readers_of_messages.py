"""Recorded messages of providers through every way in that takes them: all read the same parts of the same speakers."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.sdk_messages import RECORDED_MESSAGES
from support.service import serve

from foxing.integrations.proxy.body import parse_body
from foxing.integrations.proxy.wires import wire_of
from foxing.memory import ContextRequest, Memory, NewMessage
from foxing.memory.conversation import INSTRUCTIONS, Provider, parse
from foxing.memory.fold.conversation import ConversationItem, message_of, parse_item
from foxing.memory.ingest.provider_messages import with_images

pytestmark = pytest.mark.usefixtures("words_alone")

BANK = "agent"
PROVIDERS: tuple[Provider, ...] = ("anthropic", "openai", "openai-responses", "gemini")
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "openai-responses": "/v1/responses"}
#: Role, types of the parts and text of a turn.
Said = tuple[str, list[str], str]


def said(message: NewMessage) -> Said:
    return message.role, [part.type for part in message.parts or ()] or ["text"], message.text


def turns(provider: Provider) -> list[Said]:
    return [
        said(NewMessage.model_validate({"role": turn.role, "content": with_images(turn.parts)}))
        for message in parse(provider, RECORDED_MESSAGES[provider])
        for turn in message.turns
    ]


def of_model_and_user(found: Iterable[Said]) -> list[Said]:
    """Without instructions, which the proxy and folds pass on as they are."""
    return [each for each in found if each[0] not in INSTRUCTIONS]


def read(items: Iterable[ConversationItem]) -> list[Said]:
    kept = (item for item in items if not item.is_instruction)
    return [said(message_of(turn, "id", "s")) for item in kept for turn in item.turns]


def test_there_are_200_messages() -> None:
    messages = [(name, json.dumps(each)) for name, listed in RECORDED_MESSAGES.items() for each in listed]
    assert len(set(messages)) == len(messages) >= 200


@pytest.mark.parametrize("provider", PROVIDERS)
def test_store_reads_them(provider: Provider, tmp_path: Path) -> None:
    with Memory(tmp_path / "bank.db") as memory:
        memory.store(BANK, RECORDED_MESSAGES[provider], provider=provider)
        assert [said(message) for message in memory.export(BANK)] == turns(provider)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_service_reads_them(provider: Provider, tmp_path: Path) -> None:
    with Memory(tmp_path / "bank.db") as memory, serve(memory) as client:
        body = {"provider": provider, "messages": RECORDED_MESSAGES[provider]}
        answer = client.post(f"/v1/banks/{BANK}/messages", json=body)
        assert answer.status_code == 201, answer.text
        assert [said(message) for message in memory.export(BANK)] == turns(provider)


@pytest.mark.parametrize("provider", PATHS)
def test_the_proxy_reads_them(provider: Provider) -> None:
    found = wire_of("POST", PATHS[provider])
    assert found is not None
    body = parse_body(found[0], json.dumps({found[0].member: RECORDED_MESSAGES[provider]}))
    assert read(body.items) == of_model_and_user(turns(provider))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_fold_reads_them(provider: Provider) -> None:
    items = [parse_item(provider, number, message) for number, message in enumerate(RECORDED_MESSAGES[provider])]
    assert read(items) == of_model_and_user(turns(provider))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_request_for_context_reads_them(provider: Provider) -> None:
    messages: Any = tuple(RECORDED_MESSAGES[provider])
    given = ContextRequest(reader="text", budget=1_000, messages=messages).given
    assert [each for each in turns(provider) if "image" not in each[1] and each[2] not in given] == []
    asked = [message for message in messages if ContextRequest(reader="text", budget=9, messages=(message,)).question]
    assert asked == [
        message
        for message, item in zip(messages, parse(provider, messages), strict=True)
        if any(turn.role == "user" and turn.text.strip() for turn in item.turns)
    ]
