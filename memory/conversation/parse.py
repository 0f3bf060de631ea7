"""Parser of the messages of providers: parts, tool calls that are made, and those that are answered."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from typing import Any

from foxing.memory.errors import InvalidInput

from .blocks import NO_ID, BlocksRead, Fields, read_blocks
from .provider import FORMATS, Json, Provider
from .turns import Turn, turns_of

#: Items of the Responses API that call a tool of the client, and the member with the arguments.
_CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
    "computer_call": "action",
    "program": "code",
}
_OUTPUT = "_output"
#: Items with a tool that the provider runs: the member with the arguments, and that with the results.
_SERVER_CALLS = {
    "web_search_call": ("action", None),
    "file_search_call": ("queries", "results"),
    "code_interpreter_call": ("code", "outputs"),
    "image_generation_call": ("revised_prompt", None),
    "mcp_call": ("arguments", "output"),
    "tool_search_call": ("arguments", None),
}
#: Items that say something of the conversation itself: the members that a label shows.
_NOTES = {
    "mcp_list_tools": ("server_label",),
    "mcp_approval_request": ("server_label", "name", "arguments"),
    "mcp_approval_response": ("approve", "reason"),
    "item_reference": ("id",),
    "compaction_trigger": (),
    "configuration_update": (),
    "additional_tools": (),
    "tool_search_output": (),
}
#: Members of a message of chat completions that say something beside its content.
CHAT_MEMBERS = frozenset({"tool_calls", "function_call", "refusal", "audio", "annotations"})


@dataclass(frozen=True)
class ProviderMessage:
    """A message of a provider, or an item of the Responses API."""

    raw: Json
    #: Role of the speaker, as messages of the memory have it.
    role: str
    #: What it says, as parts that `Memory.store` takes; the data of images are as they came.
    parts: tuple[Fields, ...]
    #: Its content, a text or blocks: that of `raw` unless it was changed.
    content: Any = None
    #: Name of the speaker or the tool.
    name: str | None = None
    #: Id that the provider gave it.
    id: str | None = None
    #: Text of its thinking, which is no part.
    thinking: str = ""
    #: Whether it has thinking, with text or without.
    thinks: bool = False
    #: Ids of the client's tool calls that it makes, and of those that it answers.
    opens: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    #: Whether it is a compaction of the provider's of what was before.
    compacts: bool = False
    #: Whether the next item belongs to it, as to reasoning.
    joins_next: bool = False

    @property
    def blocks(self) -> Sequence[Any]:
        """The blocks of its content; none if that is a text."""
        return self.content if isinstance(self.content, list | tuple) else ()

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """Turns of the message, without what its host added; none for a message without parts."""
        return tuple(turns_of(self.role, self.parts, self.name))


def parse(provider: Provider, items: Sequence[object]) -> list[ProviderMessage]:
    """Returns the messages of a conversation in the format of a provider. Blocks that cannot be read become labels.
    Raises `InvalidInput` for an item that is not an object or has no valid role, with its `index`."""
    return [parse_message(provider, item, number) for number, item in enumerate(items)]


def parse_message(provider: Provider, item: object, number: int = 0) -> ProviderMessage:
    """Returns a message of a conversation. `number`: its place, for errors. Raises `InvalidInput`, see `parse`."""
    if not isinstance(item, Mapping):
        raise InvalidInput("a message must be an object", index=number)
    if provider == "openai-responses" and (kind := _kind(item)) != "message":
        return _of_item(item, kind)
    role = _role(provider, item, number)
    content = item.get(FORMATS[provider].content)
    if provider == "anthropic" and not isinstance(content, str | list | tuple):
        raise InvalidInput("content must be a string or a list of blocks", index=number)
    read = read_blocks(content)
    if provider == "openai":
        read = _chat(item, role, read)
    return _message(item, role, content, read)


def whole_items(provider: Provider, items: Iterable[Json]) -> Iterator[tuple[int, Json]]:
    """Yields items with their places. The pieces of a streamed answer, which Gemini's SDK keeps as messages of their
    own, are one item at the place of the first."""
    cut = "model" if provider == "gemini" else ""
    for role, numbered in groupby(enumerate(items), lambda pair: pair[1].get("role")):
        if role and role == cut:
            places, pieces = zip(*numbered, strict=True)
            yield places[0], joined_pieces(pieces)
        else:
            yield from numbered


def joined_pieces(pieces: Sequence[Json]) -> Json:
    """Returns the pieces of an answer of Gemini as one message."""
    parts = chain.from_iterable(piece.get(FORMATS["gemini"].content) or () for piece in pieces)
    joined = list[Json]()
    for words, group in groupby(parts, _words_of_piece):
        texts = list(group)
        joined += [{**texts[-1], "text": "".join(part["text"] for part in texts)}] if words else texts
    return {**pieces[0], FORMATS["gemini"].content: joined}


def _words_of_piece(part: Json) -> str:
    """Returns what kind of words a part has that is only text; empty for other parts."""
    return "" if not isinstance(part.get("text"), str) else "thought" if part.get("thought") is True else "text"


def provider_of(item: Json) -> Provider:
    """Returns a provider in whose format a message can be read of which only the members are known. What blocks say
    does not depend on it."""
    if FORMATS["gemini"].content in item:
        return "gemini"
    return "openai-responses" if _kind(item) != "message" else "openai"


def _role(provider: Provider, item: Json, number: int) -> str:
    roles = FORMATS[provider].roles
    role_name = item.get("role", "user" if provider == "gemini" else None)
    role = roles.get(role_name) if isinstance(role_name, str) else None
    if role is None:
        raise InvalidInput(f"role must be {', '.join(roles)}, not {role_name!r}", index=number)
    return role


def _message(item: Json, role: str, content: Any, read: BlocksRead, *, joins_next: bool = False) -> ProviderMessage:
    name = item.get("name")
    own_id = item.get("id")
    return ProviderMessage(
        raw=item,
        role=role,
        parts=tuple(read.parts),
        content=content,
        name=name if isinstance(name, str) and name and "type" not in item else None,
        id=own_id if isinstance(own_id, str) and own_id else None,
        thinking="\n".join(read.thinking),
        thinks=read.thinks,
        opens=tuple(read.opens),
        answers=tuple(read.answers),
        compacts=read.compacts,
        joins_next=joins_next,
    )


def _chat(item: Json, role: str, read: BlocksRead) -> BlocksRead:
    """Returns what a message of chat completions says, with what it has beside its content."""
    if role == "tool":
        result = BlocksRead()
        result.add_result(item.get("tool_call_id") or item.get("name") or NO_ID, item.get("content"))
        return result
    read.add_text(item.get("refusal"))
    if isinstance(audio := item.get("audio"), Mapping):
        read.add_label("audio")
        read.add_line(audio.get("transcript"))
    read.add_sources(item.get("annotations"))
    calls = item.get("tool_calls")
    for call in calls if isinstance(calls, list | tuple) else ():
        if isinstance(call, Mapping):
            function = call.get("function") or call.get("custom")
            function = function if isinstance(function, Mapping) else {}
            read.add_call(call.get("id"), function.get("name"), function.get("arguments", function.get("input")))
        else:
            read.add_label("tool call")
    if isinstance(legacy := item.get("function_call"), Mapping):
        read.add_call(legacy.get("name"), legacy.get("name"), legacy.get("arguments"))
    return read


def _kind(item: Json) -> str:
    """Returns the type of an item of the Responses API; the SDK lets messages and references go without."""
    kind = item.get("type")
    return str(kind) if kind is not None else "message" if "role" in item or "id" not in item else "item_reference"


def _of_item(item: Json, kind: str) -> ProviderMessage:
    """Returns an item of the Responses API that is not a message."""
    read = BlocksRead()
    call_id = item.get("call_id", item.get("id"))
    if kind in _CALLS:
        content = item.get(_CALLS[kind], item.get("actions"))
        read.add_call(call_id, item.get("name") or kind.removesuffix("_call"), content)
        return _message(item, "assistant", item.get("content"), read)
    if kind.endswith(_OUTPUT) and kind.removesuffix(_OUTPUT) in _CALLS:
        read.add_result(call_id, item.get("output", item.get("result")))
        return _message(item, "tool", item.get("content"), read)
    if kind == "reasoning":
        thoughts = read_blocks(item.get("summary") or item.get("content"))
        read.thinks = True
        read.thinking = [part["text"] for part in thoughts.parts if part["type"] == "text"] + thoughts.thinking
        return _message(item, "assistant", item.get("content"), read, joins_next=True)
    if kind in _SERVER_CALLS:
        _add_server_call(kind, item, read)
    elif kind == "compaction":
        read.compacts = True
    elif kind in _NOTES:
        read.add_label(kind.replace("_", " "), *(item.get(name) for name in _NOTES[kind]))
    else:
        read.parts += read_blocks([item]).parts
    return _message(item, "assistant", item.get("content"), read)


def _add_server_call(kind: str, item: Json, read: BlocksRead) -> None:
    arguments, results = _SERVER_CALLS[kind]
    server = item.get("server_label")
    tool = item.get("name") or kind.removesuffix("_call")
    value = item.get(arguments)
    value = value if isinstance(value, str | Mapping) or value is None else {arguments: value}
    call_id = item.get("id") or item.get("call_id")
    read.add_call(call_id, f"{server}.{tool}" if server else tool, value, opens=False)
    if item.get("error"):
        read.add_result(call_id, item["error"], failed=True, closes=False)
    elif results is not None and item.get(results):
        blocks = [
            {"type": kind, **result} if isinstance(result, Mapping) else result for result in _listed(item[results])
        ]
        read.add_result(call_id, blocks, closes=False)
    image = item.get("result")
    if kind == "image_generation_call" and isinstance(image, str) and image:
        read.parts.append({"type": "image", "data": image})


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else (value,)
