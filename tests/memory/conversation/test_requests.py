"""Which requests belong to a conversation, by their paths."""

import pytest

from foxing.memory.conversation.requests import wire_of


@pytest.mark.parametrize(
    ("path", "wire"),
    [
        ("/v1/messages", ("anthropic", False)),
        ("/v1/messages/count_tokens", ("anthropic", True)),
        ("/v1/chat/completions", ("openai", False)),
        ("/v1/responses/", ("openai-responses", False)),
        ("/v1/responses/input_tokens", ("openai-responses", True)),
        ("/v1beta/models/gemini-3.6-flash:generateContent", ("gemini", False)),
        ("/v1beta/models/gemini-3.6-flash:streamGenerateContent", ("gemini", False)),
        ("/v1beta/models/gemini-3.6-flash:countTokens", ("gemini", True)),
        ("/v1beta/models/gemini-3.6-flash:embedContent", None),
        ("/v1/models", None),
    ],
)
def test_requests_are_known_by_their_paths(path: str, wire: tuple[str, bool] | None) -> None:
    assert wire_of(path) == wire
