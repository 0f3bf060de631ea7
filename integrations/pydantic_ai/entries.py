"""Conversion of Pydantic AI's messages to messages to remember."""

from collections.abc import Sequence

from pydantic_ai.messages import (
    BaseToolCallPart,
    BaseToolReturnPart,
    BinaryContent,
    CachePoint,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    RetryPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    UserContent,
    UserPromptPart,
)

from foxing.memory import Fields, ProviderMessage, parse_message


def prompt_text(content: str | Sequence[UserContent]) -> str:
    """Returns the text of a user prompt, without images and other files."""
    if isinstance(content, str):
        return content
    texts = [item.content if isinstance(item, TextContent) else item for item in content]
    return "\n".join(text for text in texts if isinstance(text, str))


def provider_messages(message: ModelMessage) -> list[ProviderMessage]:
    """Returns a message as those of Anthropic's API: prompts, answers, tool calls and tool results, in order. System
    prompts and instructions are left out."""
    if isinstance(message, ModelRequest):
        return [_parsed("user", content) for part in message.parts if (content := _requested(part))]
    return [_parsed("assistant", [_answered(part) for part in message.parts])]


def _parsed(role: str, content: list[Fields]) -> ProviderMessage:
    return parse_message("anthropic", {"role": role, "content": content})


def _answered(part: ModelResponsePart) -> Fields:
    if isinstance(part, TextPart):
        return _text(part.content)
    if isinstance(part, FilePart):
        return _file(part.content)
    if isinstance(part, BaseToolCallPart):
        call: Fields = {"id": part.tool_call_id, "name": part.tool_name, "input": part.args_as_json_str()}
        return {"type": "tool_use" if isinstance(part, ToolCallPart) else "server_tool_use", **call}
    if isinstance(part, BaseToolReturnPart):
        return _result(part.tool_call_id, [_text(part.model_response_str())], failed=part.outcome != "success")
    return {"type": part.part_kind}  # thinking, or a label


def _requested(part: ModelRequestPart) -> list[Fields]:
    if isinstance(part, UserPromptPart):
        return [_text(prompt_text(part.content)), *([] if isinstance(part.content, str) else _files(part.content))]
    if isinstance(part, BaseToolReturnPart):
        content = [_text(part.model_response_str()), *_files(part.files)]
        return [_result(part.tool_call_id, content, failed=part.outcome != "success")]
    if isinstance(part, RetryPromptPart) and part.tool_name is not None:
        return [_result(part.tool_call_id, [_text(part.model_response())], failed=True)]
    return []


def _text(text: str) -> Fields:
    return {"type": "text", "text": text}


def _result(call_id: str, content: list[Fields], *, failed: bool) -> Fields:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": failed}


def _files(content: Sequence[object]) -> list[Fields]:
    """Returns the images and other files among the items of a content."""
    return [_file(item) for item in content if not isinstance(item, str | TextContent | CachePoint)]


def _file(item: object) -> Fields:
    if isinstance(item, ImageUrl):
        return {"type": "image", "url": item.url}
    if isinstance(item, BinaryContent) and item.is_image:
        return {"type": "image", "data": item.data}
    return {"type": "file", "file_url": getattr(item, "url", None) or getattr(item, "media_type", None)}
