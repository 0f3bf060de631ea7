"""Messages that the types of the installed SDKs allow, as `sdk_messages.json` records them: each type of block and item
with what it must have, with all that it may have, and with each kind of value of its members.

python -m tests.support.sdk_messages > tests/support/sdk_messages.json
"""

import enum
import json
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NotRequired, Required

from typing_extensions import is_typeddict

from .recorded_sessions import ClaudeCodeSession, CodexSession

Json = dict[str, Any]
_RECORDED = Path(__file__).with_suffix(".json")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
#: Values of members by name, where the type alone says too little.
VALUES: Mapping[str, Any] = {
    "data": PIXEL,
    "image_bytes": PIXEL,
    "media_type": "image/png",
    "mime_type": "image/png",
    "result": PIXEL,
    "url": "https://a.example/page",
    "image_url": "https://a.example/x.png",
    "file_url": "https://a.example/plan.pdf",
    "file_uri": "https://a.example/plan.pdf",
    "file_data": "data:application/pdf;base64,JVBE",
    "filename": "plan.pdf",
    "arguments": '{"q": "tides"}',
    "code": "1 + 1",
    "role": "user",
}
#: Levels of types inside types whose members vary, and levels at most.
DEPTH, MOST_DEPTH = 2, 4
#: Members of which one kind is enough: what tools are declared.
ONE_KIND = ("tools", "tool", "cache_control", "prompt_cache_breakpoint", "caller", "pending_safety_checks", "usage")


def _recorded() -> dict[str, list[Json]]:
    """The recorded messages, and those of the recorded sessions, by provider."""
    found: dict[str, list[Json]] = json.loads(_RECORDED.read_text())["messages"]
    for call in ClaudeCodeSession().calls():
        found["anthropic"] += _new(found["anthropic"], [*call.body["messages"], _answer(call.answer)])
    for call in CodexSession().calls():
        found["openai-responses"] += _new(found["openai-responses"], [*call.body["input"], *call.answer["output"]])
    return found


def _answer(answer: Json) -> Json:
    return {"role": "assistant", "content": answer["content"]}


def _new(known: Sequence[Json], messages: Sequence[Json]) -> list[Json]:
    new: list[Json] = []
    for message in messages:
        if message not in known and message not in new:
            new.append(message)
    return new


def declared_messages() -> dict[str, Any]:
    """Messages of the types that the installed SDKs declare, by provider, and the versions of the SDKs."""
    import anthropic.types as anthropic
    import openai.types.chat as chat
    import openai.types.responses as responses
    from google.genai import types as gemini

    names = ("anthropic", "openai", "google-genai")
    return {
        "versions": {name: version(name) for name in names},
        "messages": {
            "anthropic": _new((), list(_of_anthropic(anthropic))),
            "openai": _new(
                (), [each for member in _members(chat.ChatCompletionMessageParam) for each in _each(member)]
            ),
            "openai-responses": _new(
                (), [each for member in _members(responses.ResponseInputItemParam) for each in _each(member)]
            ),
            "gemini": _new((), list(_of_gemini(gemini))),
        },
    }


#: Types of blocks of Anthropic that only the user sends.
_OF_USER = ("tool_result", "image", "document", "search_result", "container_upload")


def _of_anthropic(types: Any) -> Iterator[Json]:
    for member in _members(types.ContentBlockParam):
        for block in _each(member):
            role = "user" if block["type"] in _OF_USER else "assistant"
            yield {"role": role, "content": [block]}
    yield {"role": "user", "content": "Fix the build of Titan."}


def _of_gemini(types: Any) -> Iterator[Json]:
    """Yields contents, as the API has them and as the SDK takes them."""
    for name, field in types.Part.model_fields.items():
        for value in _values(field.annotation, name, 0):
            part = types.Part.model_validate({name: value} if name != "thought" else {"thought": True, "text": "hm"})
            role = "user" if name in ("function_response", "inline_data", "file_data") else "model"
            for aliased in (True, False):
                yield {"role": role, "parts": [part.model_dump(mode="json", exclude_none=True, by_alias=aliased)]}


def _each(member: Any) -> Iterator[Json]:
    """Yields values of a type: with what it must have, with all that it may have, and with each kind of each member."""
    hints = _hints(member)
    values = {name: _values(hint, name, 1) for name, (hint, _) in hints.items()}
    least = {name: values[name][0] for name, (_, required) in hints.items() if required and values[name]}
    most = {name: each[0] for name, each in values.items() if each}
    if least:
        yield least
    yield most
    for name, each in values.items():
        for value in each[1:] if name not in ONE_KIND else ():
            yield {**(least or most), name: value}


def _values(hint: Any, name: str, depth: int) -> list[Any]:
    """Returns a value for each kind that a type has; none for one that cannot be written."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, Required, NotRequired):
        return _values(arguments[0], name, depth)
    if origin is typing.Union or isinstance(hint, UnionType):
        return _new((), [value for each in arguments for value in _values(each, name, depth)])
    if origin is typing.Literal:
        return [arguments[0]]
    if is_typeddict(hint) or hasattr(hint, "model_fields"):
        found = _new((), list(_each(hint))) if depth <= MOST_DEPTH else []
        return found if depth < DEPTH else found[:1]
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return [next(each.value for each in hint if "UNSPECIFIED" not in each.name)]
    if origin is not None and (isinstance(origin, type) and issubclass(origin, Mapping)):
        return [{"q": "tides"}]
    if origin is not None:
        is_list = arguments and issubclass(origin, Iterable) and not issubclass(origin, typing.IO)
        return [[value] for value in _values(arguments[0], name, depth)] if is_list else []
    return _plain(hint, name)


def _plain(hint: Any, name: str) -> list[Any]:
    if hint in (NoneType, None):
        return []
    if hint is str:
        return [VALUES.get(name, f"{name.replace('_', ' ')} 1" if not name.endswith("id") else f"{name}_1")]
    if hint is bytes:
        return [PIXEL]
    if hint in (bool, int, float):
        return [hint(1)]
    return [{"q": "tides"}] if hint in (object, Any, dict) else []


def _members(union: Any) -> Iterator[Any]:
    origin = typing.get_origin(union)
    if origin is typing.Annotated:
        yield from _members(typing.get_args(union)[0])
    elif origin is typing.Union or isinstance(union, UnionType):
        for argument in typing.get_args(union):
            yield from _members(argument)
    else:
        yield union


def _hints(member: Any) -> dict[str, tuple[Any, bool]]:
    """Returns the members of a type, and whether it must have each."""
    if hasattr(member, "model_fields"):
        return {name: (field.annotation, field.is_required()) for name, field in member.model_fields.items()}
    hints = typing.get_type_hints(member, include_extras=True)
    optional = NotRequired if member.__total__ else Required
    return {name: (hint, (typing.get_origin(hint) is optional) != member.__total__) for name, hint in hints.items()}


#: Messages by provider, those of the recorded sessions included.
RECORDED_MESSAGES = _recorded()

if __name__ == "__main__":
    print(json.dumps(declared_messages(), indent=1))
