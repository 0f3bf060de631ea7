"""Messages of providers are stored as they are."""

from pathlib import Path
from typing import Any

import pytest

from foxing.memory import InvalidInput, Memory

SESSION: list[dict[str, Any]] = [
    {"role": "user", "content": "What does the contract say about Titan?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "I look.", "signature": "s"},
            {"type": "text", "text": "I read it."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"path": "contract.txt"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "Titan ships on 14 March."},
            {"type": "document", "title": "annex.pdf", "source": {"type": "base64", "media_type": "application/pdf"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ],
    },
]
STORED = [
    ("user", "What does the contract say about Titan?"),
    ("assistant", "I read it."),
    ("assistant", '△ read t1 {"path":"contract.txt"}'),
    ("tool", "▽ t1\nTitan ships on 14 March."),
    (
        "user",
        "[document: annex.pdf, application/pdf]\n◇\n"
        "[image, not remembered: the data are not a PNG, JPEG, WebP or GIF image]",
    ),
]


def remembered(memory: Memory) -> list[tuple[str, str]]:
    return [(span.role, span.text) for span in memory.recall("ana").spans]


def test_a_conversation_of_a_provider_is_stored_turn_by_turn(tmp_path: Path) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        result = memory.store("ana", SESSION, provider="anthropic", thread="s1")
        assert (len(result.ids), result.left_out) == (5, {"thinking": 1})
        assert remembered(memory) == STORED
        only_thinks = [{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]}]
        assert memory.store("ana", only_thinks, provider="anthropic").ids == []
        of_host = [{"role": "user", "content": "<system-reminder>\nBe brief.\n</system-reminder>"}]
        result = memory.store("ana", of_host, provider="anthropic")
        assert (result.ids, result.left_out) == ([], {"text of the host": 1})


@pytest.mark.parametrize(
    ("items", "provider", "reason"),
    [
        (SESSION, "mistral", "provider must be anthropic, openai, openai-responses or gemini, not 'mistral'"),
        ({"role": "user"}, "openai", "messages must be a list of messages of openai, not a dict"),
        ([SESSION[0], {"role": "narrator", "content": "x"}], "openai", r"messages\[1\]: role must be"),
        ([], "openai", "give at least one message"),
    ],
)
def test_what_is_no_conversation_is_refused_and_nothing_is_stored(
    tmp_path: Path, items: Any, provider: Any, reason: str
) -> None:
    with Memory(tmp_path / "foxing.db") as memory:
        with pytest.raises(InvalidInput, match=reason):
            memory.store("ana", items, provider=provider)
        assert memory.banks().banks == []
