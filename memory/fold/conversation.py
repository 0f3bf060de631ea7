"""Conversations in the request formats of providers: what each item says, which tool calls it opens or answers, and
whether it must stay."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple, NoReturn

from pydantic import JsonValue

from foxing.memory.errors import InvalidInput
from foxing.memory.values.fold import Wire
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart, Part, TextPart, ToolCall, ToolResult

from .images import KINDS, GivenImage, read_images

Json = dict[str, JsonValue]

DIGEST_BYTES = 16
#: Fields of blocks that mark the end of what is cached.
MARKS = ("cache_control", "prompt_cache_breakpoint")
THINKING = ("thinking", "redacted_thinking")
#: Kinds of items of the Responses API that call a tool of the client; its output has the kind with this ending.
_CALLS = (
    *("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call"),
    "computer_call",
)
_OUTPUT = "_output"
_MAX_NAME = 200
_LONG_TEXT = 4_096


@dataclass(frozen=True)
class ConversationItem:
    """A message of a conversation, or an item of one of the Responses API."""

    raw: Json
    role: str
    #: What it says; the data of images are as they came, neither decoded nor checked.
    parts: tuple[Part, ...]
    #: Text of thinking blocks, which is counted and not folded.
    thinking: str = ""
    #: Whether it has thinking blocks.
    thinks: bool = False
    #: Ids of tool calls that it opens, and of those that it answers.
    opens: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    #: Whether it is a compaction of the provider's, which stays with everything before it.
    compacts: bool = False
    #: Whether the next item must stay with it, as with reasoning.
    joins_next: bool = False
    #: Images in it.
    images: tuple[GivenImage, ...] = ()

    @property
    def is_instruction(self) -> bool:
        """True for an instruction, which stays as it is."""
        return self.role in ("system", "developer")

    @property
    def is_question(self) -> bool:
        """True if the user speaks, and does not only answer tool calls."""
        return self.role == "user" and not self.answers

    @cached_property
    def digest(self) -> bytes:
        """Digest of the item without cache marks, `DIGEST_BYTES` bytes."""
        raw = _without_data(self.raw) if self.images else self.raw
        text = json.dumps(_plain(raw), ensure_ascii=False, separators=(",", ":"))
        if any(mark in text for mark in MARKS):
            text = json.dumps(without_marks(raw), ensure_ascii=False, separators=(",", ":"))
        return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()

    @cached_property
    def is_marked(self) -> bool:
        """True if it has a cache mark."""
        return any(cache_marks(self.raw))

    @cached_property
    def text(self) -> str:
        """Text of the item as it is stored, without thinking, a label for each image."""
        return NewMessage(role=self.stored_role, content=self.parts).text if self.parts else ""

    @property
    def stored_role(self) -> Any:
        """Role of the message to store: `tool` for one that only answers tool calls, perhaps with images."""
        only_answers = bool(self.answers) and all(isinstance(part, ToolResult | ImagePart) for part in self.parts)
        return "tool" if only_answers else self.role

    @cached_property
    def stored_parts(self) -> tuple[Part, ...]:
        """Parts of the message to store; none for an instruction. Space around what the model says is removed, as
        clients do before they send it back."""
        if self.is_instruction:
            return ()
        if self.role != "assistant":
            return self.parts if self.text.strip() else ()
        stripped = [TextPart(text=part.text.strip()) if isinstance(part, TextPart) else part for part in self.parts]
        return tuple(part for part in stripped if not isinstance(part, TextPart) or part.text)

    @cached_property
    def stored_digest(self) -> bytes:
        """Digest of the message to store, `DIGEST_BYTES` bytes; empty if nothing is stored of the item. Unlike
        `digest`, it does not change with ids of the provider or unknown fields."""
        if not self.stored_parts:
            return b""
        said = [self.stored_role, [_identity(part) for part in self.stored_parts]]
        text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()

    def message(self, message_id: str, thread: str) -> NewMessage:
        """Returns the item as a message to store, its images read."""
        return NewMessage(id=message_id, role=self.stored_role, content=read_images(self.stored_parts), thread=thread)


@dataclass(frozen=True)
class Conversation:
    """A conversation, and where it may be cut."""

    wire: Wire
    items: Sequence[ConversationItem]
    #: Number of leading items that stay as they are: instructions, and what ends with a compaction.
    start: int
    #: For each item: whether no tool call is open after it, and the next item may be separated from it.
    closed: Sequence[bool]

    @property
    def answers_tools(self) -> bool:
        """True if the last items answer tool calls of the latest assistant turn, or leave them open."""
        if not self.items:
            return False
        for item in reversed(self.items):
            if item.role == "assistant":
                return bool(item.opens)
        return False

    @cached_property
    def latest_turn(self) -> int:
        """Index of the first item of the latest run of assistant items; the number of items if there is none."""
        at = max((n for n, item in enumerate(self.items) if item.role == "assistant"), default=len(self.items))
        while 0 < at < len(self.items) and self.items[at - 1].role == "assistant":
            at -= 1
        return at

    @property
    def first_question(self) -> bytes:
        """Digest of the first user message, which tells the conversations of sub-agents apart."""
        return next((item.digest for item in self.items if item.role == "user"), b"")

    def prefix_digest(self, count: int) -> bytes:
        """Returns the digest of the first `count` items, `DIGEST_BYTES` bytes."""
        return blake2b(b"".join(item.digest for item in self.items[:count]), digest_size=DIGEST_BYTES).digest()


def parse_conversation(wire: Wire, messages: Sequence[Json]) -> Conversation:
    """Returns the conversation. Raises `InvalidInput` as `parse_item` and `make_conversation` do."""
    return make_conversation(wire, [parse_item(wire, number, message) for number, message in enumerate(messages)])


def parse_item(wire: Wire, number: int, message: Json) -> ConversationItem:
    """Returns a message of a conversation. `number`: its index, for errors. Raises `InvalidInput` for one without a
    role or content."""
    return _READERS[wire](number, message)


def make_conversation(wire: Wire, items: Sequence[ConversationItem]) -> Conversation:
    """Returns the conversation of parsed items. Raises `InvalidInput` for a tool call without an answer, except the
    last, or an answer without a call."""
    start = next((n for n, item in enumerate(items) if not item.is_instruction), len(items))
    start = max([start, *(n + 1 for n, item in enumerate(items) if item.compacts)])
    return Conversation(wire, items, start, _closed(items, wire))


def cache_marks(message: Mapping[str, Any]) -> Iterator[tuple[tuple[int, ...], Json]]:
    """Yields the places of the cache marks of a message, and the marks as a field of a block."""
    content = message.get("content")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict):
            continue
        yield from (((number, *path), mark) for path, mark in cache_marks(block))
        mark = {name: block[name] for name in MARKS if block.get(name) is not None}
        if mark:
            yield (number,), mark


def thread_key(session: str, wire: Wire, first_question: bytes) -> bytes:
    """Returns what tells a conversation from others of its session, `DIGEST_BYTES` bytes. `first_question`: see
    `Conversation`."""
    named = json.dumps([session, wire, first_question.hex()])
    return blake2b(named.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()


def stored_ids(key: bytes, digests: Sequence[bytes], said: Counter[bytes] | None = None) -> list[str | None]:
    """Returns the ids under which items are stored; None for those of which nothing is. The same content gets the same
    id at every call, and another one where it is said again. `key`: see `thread_key`; `digests`: `stored_digest` of the
    items in order; `said`: how often each was said before them, which this call updates."""
    said = Counter() if said is None else said
    ids: list[str | None] = []
    for digest in digests:
        ids.append(None)
        if digest:
            content = key + digest + said[digest].to_bytes(4, "big")
            ids[-1] = f"turn-{blake2b(content, digest_size=DIGEST_BYTES).hexdigest()}"
            said[digest] += 1
    return ids


def _closed(items: Sequence[ConversationItem], wire: Wire) -> list[bool]:
    """Returns for each item whether it may end what is folded. Raises `InvalidInput`, see `parse_conversation`."""
    waiting: dict[str, int] = {}
    closed: list[bool] = []
    for number, item in enumerate(items):
        for name in item.answers:
            if name not in waiting:
                raise InvalidInput(f"it answers the tool call '{name}', which no message before it makes", index=number)
            del waiting[name]
        if waiting and _must_be_answered_before(items, number, wire):
            _refuse_unanswered(waiting)
        waiting |= dict.fromkeys(item.opens, number)
        closed.append(not waiting and not item.joins_next)
    if waiting and items[-1].role == "user":
        _refuse_unanswered(waiting)
    return closed


def _must_be_answered_before(items: Sequence[ConversationItem], number: int, wire: Wire) -> bool:
    """Returns True if the calls before an item must be answered when it comes."""
    item = items[number]
    if wire == "openai":
        return item.role != "tool"
    if wire == "anthropic":
        return item.role == "assistant" and items[number - 1].role != "assistant"
    return item.role == "user"


def _refuse_unanswered(waiting: Mapping[str, int]) -> NoReturn:
    name, at = next(iter(waiting.items()))
    raise InvalidInput(f"its tool call '{name}' is not answered by what follows", index=at)


def without_marks(value: Any) -> Any:
    """Returns a message without cache marks, its content as text if that is all it is."""
    return _plain({key: _unmarked(inner) for key, inner in value.items() if key not in MARKS})


def _unmarked(value: Any) -> Any:
    """Returns content blocks, and those inside them, without cache marks."""
    if not isinstance(value, list):
        return value
    return [
        {key: _unmarked(inner) if key == "content" else inner for key, inner in each.items() if key not in MARKS}
        if isinstance(each, dict)
        else each
        for each in value
    ]


def _plain(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a message whose only block is text with this text as its content: clients write it either way."""
    content = message.get("content")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        block = content[0]
        if set(block) == {"type", "text"} and isinstance(block["text"], str):
            return {**message, "content": block["text"]}
    return message


def _invalid(number: int, reason: str) -> InvalidInput:
    return InvalidInput(reason, index=number)


def _name(value: Any, default: str) -> str:
    """Returns the id or name of a tool call, shortened if necessary."""
    return str(value)[:_MAX_NAME] if value else default


def _arguments(value: Any) -> Any:
    return value if isinstance(value, dict | str) else json.dumps(value, ensure_ascii=False)


class _Content(NamedTuple):
    """Content of a message or of a tool result."""

    #: Texts, of which those beside each other are joined, and images.
    parts: list[TextPart | ImagePart]
    images: list[GivenImage]

    @property
    def text(self) -> str:
        """The text without the images."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))

    def result(self, call_id: Any, *, failed: bool = False) -> list[Part]:
        """Returns the parts of a tool result, the images after the text."""
        images = [part for part in self.parts if isinstance(part, ImagePart)]
        return [ToolResult(id=_name(call_id, "-"), content=self.text, is_error=failed), *images]


def _content(value: Any) -> _Content:
    """Returns what content says. A block that is neither text nor an image is described."""
    if value is None:
        return _Content([], [])
    if isinstance(value, str):
        return _Content([TextPart(text=value)] if value else [], [])
    parts, images, texts = list[TextPart | ImagePart](), list[GivenImage](), list[str]()
    for block in value if isinstance(value, list) else [value]:
        part = _block(block)
        if isinstance(part, GivenImage):
            images.append(part)
            if isinstance(part.part, ImagePart):
                parts += _joined(texts)
                parts.append(part.part)
                texts = []
                continue
            part = part.part.text
        texts.append(part)
    return _Content([*parts, *_joined(texts)], images)


def _joined(texts: Sequence[str]) -> list[TextPart]:
    text = "\n".join(texts)
    return [TextPart(text=text)] if text else []


def _block(block: Any) -> str | GivenImage:
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        return _described(block)
    if isinstance(block.get("text"), str):
        return str(block["text"])
    if isinstance(block.get("refusal"), str):
        return str(block["refusal"])
    return GivenImage.of(block) if block.get("type") in KINDS else _described(block)


def _identity(part: Part) -> Any:
    """Returns what tells a part from others: of an image the digest of its data, as they came."""
    if not isinstance(part, ImagePart):
        return part.model_dump(mode="json")
    if part.data is None:
        return {"type": part.type, "url": part.url}
    return {"type": part.type, "data": _digest_of(part.data)}


def _digest_of(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def _without_data(value: Any) -> Any:
    """Returns a value with digests in place of long texts, such as the data of images, which are costly to write as
    JSON."""
    if isinstance(value, dict):
        return {key: _without_data(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_data(inner) for inner in value]
    return _digest_of(value) if isinstance(value, str) and len(value) > _LONG_TEXT else value


def _described(block: Any) -> str:
    """Returns a block of an unknown kind as JSON, without long values, which are data."""
    return json.dumps(_shortened(block), ensure_ascii=False, separators=(",", ":"))


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return value if not isinstance(value, str) or len(value) <= 2_000 else f"{value[:200]} …"


def _anthropic(number: int, raw: Json) -> ConversationItem:
    role = raw.get("role")
    if role not in ("user", "assistant", "system"):
        raise _invalid(number, "role must be user, assistant or system")
    content = raw.get("content")
    if isinstance(content, str):
        return ConversationItem(raw, role, (TextPart(text=content),) if content else ())
    if not isinstance(content, list):
        raise _invalid(number, "content must be a string or a list of blocks")
    parts: list[Part] = []
    thinking, opens, answers, images = list[str](), list[str](), list[str](), list[GivenImage]()
    for block in content:
        if not isinstance(block, dict):
            raise _invalid(number, "a content block must be an object")
        kind = block.get("type")
        if kind in THINKING:
            thinking.append(str(block.get("thinking", "")))
        elif kind == "tool_use":
            opens.append(str(block.get("id")))
            called = _name(block.get("name"), "tool")
            parts.append(
                ToolCall(id=_name(block.get("id"), "-"), name=called, arguments=_arguments(block.get("input", {})))
            )
        elif kind == "tool_result":
            answers.append(str(block.get("tool_use_id")))
            said = _content(block.get("content"))
            images += said.images
            parts += said.result(block.get("tool_use_id"), failed=block.get("is_error") is True)
        elif kind != "compaction":
            said = _content([block])
            images += said.images
            parts += said.parts
    compacts = any(isinstance(block, dict) and block.get("type") == "compaction" for block in content)
    return ConversationItem(
        raw,
        role,
        tuple(parts),
        "\n".join(thinking),
        bool(thinking),
        tuple(opens),
        tuple(answers),
        compacts,
        False,
        tuple(images),
    )


def _chat(number: int, raw: Json) -> ConversationItem:
    role = raw.get("role")
    if role not in ("user", "assistant", "system", "developer", "tool"):
        raise _invalid(number, "role must be user, assistant, system, developer or tool")
    said = _content(raw.get("content"))
    images = tuple(said.images)
    if role == "tool":
        name = str(raw.get("tool_call_id"))
        return ConversationItem(raw, role, tuple(said.result(name)), answers=(name,), images=images)
    parts: list[Part] = [*said.parts]
    opens = list[str]()
    calls = raw.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if not isinstance(call, dict):
            raise _invalid(number, "a tool call must be an object")
        made = call.get("function") or call.get("custom")
        made = made if isinstance(made, dict) else {}
        opens.append(str(call.get("id")))
        arguments = _arguments(made.get("arguments", made.get("input", "")))
        parts.append(ToolCall(id=_name(call.get("id"), "-"), name=_name(made.get("name"), "tool"), arguments=arguments))
    return ConversationItem(raw, role, tuple(parts), opens=tuple(opens), images=images)


def _responses(number: int, raw: Json) -> ConversationItem:
    kind = raw.get("type", "message")
    if kind == "message":
        role = raw.get("role")
        if role not in ("user", "assistant", "system", "developer"):
            raise _invalid(number, "role must be user, assistant, system or developer")
        said = _content(raw.get("content"))
        return ConversationItem(raw, role, tuple(said.parts), images=tuple(said.images))
    if kind in _CALLS:
        name, called = str(raw.get("call_id")), _name(raw.get("name"), str(kind))
        given = next((raw[key] for key in ("arguments", "input", "action", "actions", "operation") if key in raw), "")
        call = ToolCall(id=_name(raw.get("call_id"), "-"), name=called, arguments=_arguments(given))
        return ConversationItem(raw, "assistant", (call,), opens=(name,))
    if isinstance(kind, str) and kind.endswith(_OUTPUT) and kind.removesuffix(_OUTPUT) in _CALLS:
        name = str(raw.get("call_id"))
        said = _content(raw.get("output"))
        images = tuple(said.images)
        return ConversationItem(raw, "tool", tuple(said.result(name)), answers=(name,), images=images)
    if kind == "reasoning":
        summary = raw.get("summary")
        return ConversationItem(raw, "assistant", (), thinking=_content(summary or None).text, joins_next=True)
    if kind == "compaction":
        return ConversationItem(raw, "assistant", (), compacts=True)
    return ConversationItem(raw, "assistant", (TextPart(text=_described(raw)),))


_READERS = {"anthropic": _anthropic, "openai": _chat, "openai-responses": _responses}
