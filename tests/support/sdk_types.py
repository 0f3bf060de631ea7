"""Types of content blocks and items that the installed SDKs declare, as `sdk_types.json` records them.

python -m tests.support.sdk_types > tests/support/sdk_types.json
"""

import json
import typing
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import UnionType
from typing import Any, NotRequired, Required

from typing_extensions import is_typeddict

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())


def declared_types() -> dict[str, Any]:
    """The types by the API that has them, and the versions of the SDKs."""
    import anthropic.types as anthropic
    import anthropic.types.beta as anthropic_beta
    import openai.types.chat as chat
    import openai.types.responses as responses
    from openai.types.responses import response_output_message_param

    return {
        "versions": {name: version(name) for name in ("anthropic", "openai")},
        "anthropic": _types(
            anthropic.ContentBlockParam,
            anthropic.ContentBlock,
            anthropic_beta.BetaContentBlockParam,
            anthropic_beta.BetaContentBlock,
        ),
        "openai": sorted({*_types(chat.ChatCompletionContentPartParam), "refusal"}),
        "openai-responses items": _types(responses.ResponseInputItemParam, responses.ResponseOutputItem),
        "openai-responses content": _types(responses.ResponseInputContentParam, response_output_message_param.Content),
        "gemini": _gemini_members(),
    }


def _gemini_members() -> list[str]:
    """The members of a part of Gemini; empty without its SDK."""
    try:
        from google.genai import types
    except ImportError:
        return []
    return sorted(types.Part.model_fields)


def _types(*unions: Any) -> list[str]:
    return sorted(
        {name for union in unions for member in _members(union) for name in _literals(_hints(member)["type"])}
    )


def _members(union: Any) -> Iterator[Any]:
    origin = typing.get_origin(union)
    if origin in (typing.Annotated, Required, NotRequired):
        yield from _members(typing.get_args(union)[0])
    elif origin is typing.Union or isinstance(union, UnionType):
        for argument in typing.get_args(union):
            yield from _members(argument)
    elif (is_typeddict(union) or hasattr(union, "model_fields")) and "type" in _hints(union):
        yield union


def _hints(member: Any) -> dict[str, Any]:
    if hasattr(member, "model_fields"):
        return {name: field.annotation for name, field in member.model_fields.items()}
    return typing.get_type_hints(member)


def _literals(hint: Any) -> list[str]:
    if typing.get_origin(hint) is typing.Literal:
        return list(typing.get_args(hint))
    return [name for argument in typing.get_args(hint) for name in _literals(argument)]


if __name__ == "__main__":
    print(json.dumps(declared_types(), indent=1))
