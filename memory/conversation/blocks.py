"""Content blocks of providers as parts of a message.

The types of blocks differ between providers, so that one table reads them all. The types that the SDKs of Anthropic,
OpenAI and Google declare are listed in `tests/support/sdk_types.json`. What has no words becomes a label
that says what it was, such as “[document: contract.pdf]”, as does an unknown type. Nothing raises: a block that cannot
be read costs that block.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .images import data_url, image_fields, is_image, snake_cased
from .provider import Json

#: A part of a message, as `Memory.store` takes it.
Fields = dict[str, Any]

MAX_NAME = 200  # characters of the id or the name of a tool
#: Cap on the characters of a title or an address in a label.
MAX_LABEL = 300
#: Cap on the levels of blocks inside blocks.
MAX_DEPTH = 12
NO_ID = "-"
#: Members that blocks of providers have, and our parts of the same type do not.
BLOCK_MEMBERS = frozenset(
    {
        *("annotations", "cache_control", "caller", "citations", "input", "logprobs", "prompt_cache_breakpoint"),
        *("tool_use_id", "toolset_name"),
    }
)


@dataclass
class BlocksRead:
    """Parts and tool calls of the blocks of a message."""

    parts: list[Fields] = field(default_factory=list)
    #: Texts of thinking blocks, which are no parts.
    thinking: list[str] = field(default_factory=list)
    #: Whether there are thinking blocks, also without text.
    thinks: bool = False
    #: Ids of the client's tool calls that are made, and of those that are answered.
    opens: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    #: Whether the provider has compacted what was before.
    compacts: bool = False

    def add_text(self, text: object) -> None:
        """Adds a text, if it is one and not empty."""
        if isinstance(text, str) and text:
            self.parts.append({"type": "text", "text": text})

    def add_label(self, kind: str, *details: object) -> None:
        """Adds a label for what has no words, as a line of the text before it if there is one."""
        self.add_line(label(kind, *details))

    def add_line(self, text: object) -> None:
        """Adds a text as lines that follow the text before them, or as a text of its own."""
        if isinstance(text, str) and text and self.parts and self.parts[-1]["type"] == "text":
            self.parts[-1] = {"type": "text", "text": f"{self.parts[-1]['text']}\n{text}"}
        else:
            self.add_text(text)

    def add_sources(self, citations: object) -> None:
        """Adds a label with the sources that citations or annotations name, each once."""
        sources = dict.fromkeys(filter(None, map(_source, _as_list(citations))))
        if sources:
            self.add_label("sources", "; ".join(sources))

    def add_call(self, call_id: object, name: object, arguments: object, *, opens: bool = True) -> None:
        """Adds a tool call. `opens`: whether the client is to answer it."""
        self.parts.append(
            {
                "type": "tool_call",
                "id": name_of(call_id, name_of(name, NO_ID)),
                "name": name_of(name, "tool"),
                "arguments": _arguments(arguments),
            }
        )
        if opens:
            self.opens.append(str(call_id))

    def add_result(self, call_id: object, content: object, *, failed: bool = False, closes: bool = True) -> None:
        """Adds the result of a tool call, its images after it. `closes`: whether it answers the client's call."""
        words, images = result_text(content)
        result: Fields = {"type": "tool_result", "id": name_of(call_id, NO_ID), "content": words}
        self.parts.append({**result, "is_error": True} if failed else result)
        self.parts += images
        if closes:
            self.answers.append(str(call_id))


def read_blocks(content: object) -> BlocksRead:
    """Returns what content says: a string, a block, or a list of blocks."""
    read = BlocksRead()
    for block in _as_list(content):
        _read_block(block, read)
    return read


def label(kind: str, *details: object) -> str:
    """Returns a label such as “[document: contract.pdf, application/pdf]”, without what is empty."""
    text = ", ".join(_short(detail) for detail in details if detail not in (None, "", [], {}))
    return f"[{kind}: {text}]" if text else f"[{kind}]"


def name_of(value: object, default: str) -> str:
    """Returns the id or the name of a tool, shortened if necessary; `default` if there is none."""
    return "".join(c for c in str(value) if c >= " ")[:MAX_NAME] or default if value else default


def result_text(content: object, depth: int = 0) -> tuple[str, list[Fields]]:
    """Returns the text of a tool's result, a line for each of its blocks, and its images."""
    lines = list[str]()
    images = list[Fields]()
    for block in _as_list(content):
        if not is_image(block):
            lines += _lines(block, images, depth)
        elif (fields := image_fields(block)) is not None:
            images.append(fields)
        else:
            lines.append(label("image"))
    return "\n".join(lines), images


def _as_list(content: object) -> Sequence[Any]:
    if content is None:
        return ()
    return content if isinstance(content, list | tuple) else (content,)


def _read_block(block: object, read: BlocksRead) -> None:
    if isinstance(block, str):
        return read.add_text(block)
    if not isinstance(block, Mapping):
        return read.add_label("part")
    kind = block.get("type")
    try:
        if is_image(block):
            fields = image_fields(block)
            return read.add_label("image") if fields is None else read.parts.append(fields)
        reader = _READERS.get(kind) if isinstance(kind, str) else _read_untyped
        if reader is not None:
            return reader(block, read)
        if isinstance(kind, str) and kind.endswith("_tool_result"):
            return _read_result(block, read)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return read.add_label("unreadable block", kind)
    text = block.get("text")
    return read.add_text(text) if isinstance(text, str) else read.add_label(str(kind or "part"))


def _read_text(block: Json, read: BlocksRead) -> None:
    text = block.get("text")
    if not isinstance(text, str):
        return read.add_label(str(block.get("type")))
    read.add_text(text)
    return read.add_sources(block.get("citations") or block.get("annotations"))


def _source(citation: object) -> str:
    """Returns what a citation names: the title and the address or the file of its source."""
    if not isinstance(citation, Mapping):
        return ""
    fields = citation.get("url_citation")  # of chat completions
    fields = fields if isinstance(fields, Mapping) else citation
    title = fields.get("title") or fields.get("document_title") or fields.get("filename")
    address = fields.get("url") or fields.get("source") or (None if title else fields.get("file_id"))
    return " ".join(str(part) for part in (title, address) if part)


def _read_thinking(block: Json, read: BlocksRead) -> None:
    read.thinks = True
    words = block.get("thinking", block.get("text"))
    if isinstance(words, str) and words:
        read.thinking.append(words)


def _read_refusal(block: Json, read: BlocksRead) -> None:
    read.add_text(block.get("refusal"))


def _read_call(block: Json, read: BlocksRead) -> None:
    server = block.get("server_name")
    name = block.get("name")
    opens = block.get("type") in ("tool_use", "tool_call")
    arguments = block.get("input", block.get("arguments"))
    read.add_call(block.get("id"), f"{server}.{name}" if server else name, arguments, opens=opens)


def _read_result(block: Json, read: BlocksRead) -> None:
    client = block.get("type") == "tool_result"
    content = block.get("content")
    failed = block.get("is_error") is True or (isinstance(content, Mapping) and "error_code" in content)
    read.add_result(block.get("tool_use_id", block.get("id")), content, failed=failed, closes=client)


def _read_sdk_call(block: Json, read: BlocksRead) -> None:
    """Reads a call of the AI SDK, whose input is JSON in an answer, and a value in the next prompt."""
    arguments = block.get("input")
    with suppress(ValueError):
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    opens = block.get("providerExecuted") is not True
    read.add_call(block.get("toolCallId"), block.get("toolName"), arguments, opens=opens)


def _read_sdk_result(block: Json, read: BlocksRead) -> None:
    """Reads a result of the AI SDK, which is typed in a prompt, and a plain value in an answer."""
    output = block.get("output")
    output = output if isinstance(output, Mapping) else {"type": "json", "value": block.get("result", output)}
    kind = str(output.get("type"))
    value = output.get("value", output.get("reason"))
    content = value if kind == "content" or value is None or isinstance(value, str) else _json(value)
    failed = kind.startswith("error") or kind == "execution-denied" or block.get("isError") is True
    read.add_result(block.get("toolCallId"), content, failed=failed)


def _read_nothing(block: Json, read: BlocksRead) -> None:
    """Leaves out what says nothing of its own."""


def _read_document(block: Json, read: BlocksRead) -> None:
    source = block.get("source")
    source = source if isinstance(source, Mapping) else {}
    kind = source.get("type")
    where = source.get("url") or source.get("file_id")
    media_type = source.get("media_type") if kind == "base64" else None
    read.add_label("document", block.get("title"), block.get("context"), where, media_type)
    if kind == "text":
        read.add_line(source.get("data"))
    elif kind == "content":
        _add_inside(source.get("content"), read)


def _read_search_result(block: Json, read: BlocksRead) -> None:
    read.add_label("search result", block.get("title"), block.get("source"))
    _add_inside(block.get("content"), read)


def _add_inside(content: object, read: BlocksRead) -> None:
    """Adds the words of blocks inside a block, and their images."""
    words, images = result_text(content)
    read.add_line(words)
    read.parts += images


def _read_file(block: Json, read: BlocksRead) -> None:
    fields = block.get("file")
    fields = fields if isinstance(fields, Mapping) else block
    name = fields.get("filename") or fields.get("file_url") or fields.get("file_id")
    read.add_label("file", name, data_url(fields.get("file_data")) or fields.get("mediaType"))


def _read_audio(block: Json, read: BlocksRead) -> None:
    fields = block.get("input_audio", block.get("audio"))
    fields = fields if isinstance(fields, Mapping) else block
    read.add_label("audio", fields.get("format"))
    read.add_line(fields.get("transcript"))


def _read_compaction(block: Json, read: BlocksRead) -> None:
    read.compacts = True


def _read_fallback(block: Json, read: BlocksRead) -> None:
    models = [
        model.get("model") if isinstance(model, Mapping) else model
        for model in (block.get("from", block.get("from_")), block.get("to"))
    ]
    read.add_label("fallback", " to ".join(str(model) for model in models if model))


def _read_tools(block: Json, read: BlocksRead) -> None:
    tools = [_tool_name(tool) for tool in _as_list(block.get("tools", block.get("tool")))]
    server = block.get("mcp_server_name", block.get("server_label"))
    read.add_label(str(block.get("type")).replace("_", " "), server, ", ".join(filter(None, tools)))


def _tool_name(tool: object) -> str:
    if not isinstance(tool, Mapping):
        return str(tool) if isinstance(tool, str) else ""
    return str(tool.get("name") or tool.get("tool_name") or tool.get("type") or "")


def _read_untyped(block: Json, read: BlocksRead) -> None:
    """Reads a part of Gemini, which has one member in place of a type."""
    part = snake_cased(block)
    for name, reader in _GEMINI.items():
        value = part.get(name)
        if value is not None:
            reader(snake_cased(value) if isinstance(value, Mapping) else value, part, read)
            return
    named = next((name for name, value in block.items() if value is not None), "part")
    read.add_label(str(named))


def _gemini_text(value: Any, part: Json, read: BlocksRead) -> None:
    if part.get("thought") is True:
        _read_thinking({"thinking": value}, read)
    else:
        read.add_text(value)


def _gemini_call(value: Any, part: Json, read: BlocksRead) -> None:
    name = value.get("name") or value.get("tool_type")
    read.add_call(value.get("id") or name, name, value.get("args"), opens="function_call" in part)


def _gemini_response(value: Any, part: Json, read: BlocksRead) -> None:
    response = value.get("response")
    failed = isinstance(response, Mapping) and "error" in response and "output" not in response
    call_id = value.get("id") or value.get("name") or value.get("tool_type")
    read.add_result(call_id, _only_output(response), failed=failed, closes="function_response" in part)
    for inner in _as_list(value.get("parts")):
        _read_block(inner, read)


def _only_output(response: Any) -> Any:
    """Returns the text of a response that consists of one."""
    if isinstance(response, Mapping) and len(response) == 1:
        [value] = response.values()
        if isinstance(value, str):
            return value
    return response


def _gemini_code(value: Any, part: Json, read: BlocksRead) -> None:
    arguments = {key: argument for key, argument in value.items() if key in ("language", "code")}
    read.add_call(value.get("id") or "code_execution", "code_execution", arguments, opens=False)


def _gemini_outcome(value: Any, part: Json, read: BlocksRead) -> None:
    failed = value.get("outcome") not in (None, "OUTCOME_OK")
    read.add_result(value.get("id") or "code_execution", value.get("output"), failed=failed, closes=False)


def _gemini_data(value: Any, part: Json, read: BlocksRead) -> None:
    media_type = str(value.get("mime_type") or "")
    kind = media_type.split("/")[0] if media_type[:5] in ("audio", "video") else "file"
    read.add_label(kind, value.get("display_name"), value.get("file_uri"), media_type)


def _gemini_transcript(value: Any, part: Json, read: BlocksRead) -> None:
    read.add_text(value.get("text") if isinstance(value, Mapping) else value)


#: Members of a part of Gemini, and what reads each; images are read before.
_GEMINI: Mapping[str, Callable[[Any, Json, BlocksRead], None]] = {
    "text": _gemini_text,
    "function_call": _gemini_call,
    "function_response": _gemini_response,
    "tool_call": _gemini_call,
    "tool_response": _gemini_response,
    "executable_code": _gemini_code,
    "code_execution_result": _gemini_outcome,
    "inline_data": _gemini_data,
    "file_data": _gemini_data,
    "audio_transcription": _gemini_transcript,
    "thought_signature": lambda value, part, read: _read_thinking({}, read),
}

_READERS: Mapping[str, Callable[[Json, BlocksRead], None]] = {
    "text": _read_text,
    "input_text": _read_text,
    "output_text": _read_text,
    "summary_text": _read_text,
    "thinking": _read_thinking,
    "redacted_thinking": _read_thinking,
    "reasoning_text": _read_thinking,
    "refusal": _read_refusal,
    "reasoning": _read_thinking,
    "reasoning-file": _read_thinking,
    "tool-call": _read_sdk_call,
    "tool-result": _read_sdk_result,
    "source": _read_nothing,
    "tool-approval-request": _read_nothing,
    "tool-approval-response": _read_nothing,
    "stream-start": _read_nothing,
    "tool_use": _read_call,
    "tool_call": _read_call,
    "server_tool_use": _read_call,
    "mcp_tool_use": _read_call,
    "tool_result": _read_result,
    "document": _read_document,
    "search_result": _read_search_result,
    "container_upload": _read_file,
    "file": _read_file,
    "input_file": _read_file,
    "input_audio": _read_audio,
    "compaction": _read_compaction,
    "fallback": _read_fallback,
    "mcp_tool_listing": _read_tools,
    "tool_addition": _read_tools,
    "tool_removal": _read_tools,
}


#: Members of the result of a tool that have words, in the order in which they are shown.
_WORDS = (
    "title",
    "filename",
    "url",
    "text",
    "stdout",
    "stderr",
    "output",
    "logs",
    "error",
    "error_code",
    "lines",
    "message",
    "reason",
)
#: Members that hold blocks of a result.
_NESTED = ("content", "results", "outputs", "source", "tool_references", "tools", "data")


def _lines(block: object, images: list[Fields], depth: int) -> Iterable[str]:
    """Yields the lines of a block of a tool's result."""
    if isinstance(block, str):
        return [block]
    if not isinstance(block, Mapping):
        return [json.dumps(block, ensure_ascii=False)]
    kind = block.get("type")
    if not isinstance(kind, str) and "stdout" not in block:  # a value of the tool's own
        return [_json(block)]
    if depth > MAX_DEPTH:
        return [label(str(kind))]
    if isinstance(kind, str) and kind in _READERS and kind != "text" and depth == 0:
        read = BlocksRead()
        _READERS[kind](block, read)
        images += [part for part in read.parts if part["type"] == "image"]
        return [str(part.get("text", part.get("content", ""))) for part in read.parts if part["type"] != "image"]
    lines = [_line(block[name]) for name in _WORDS if block.get(name) not in (None, "", [])]
    for name in _NESTED:
        if block.get(name) not in (None, "", []):
            words, inner = result_text(block[name], depth + 1)
            images += inner
            if words:
                lines.append(words)
    if kind == "tool_reference":
        lines.append(str(block.get("tool_name", "")))
    return lines if lines or kind == "text" else [label(str(kind), block.get("file_id"))]


def _line(value: object) -> str:
    if isinstance(value, list | tuple):
        return "\n".join(map(_line, value))
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _arguments(value: object) -> str | dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    return value if isinstance(value, str) else {} if value is None else _json(value)


def _short(detail: object) -> str:
    text = " ".join(str(detail).split())
    return text if len(text) <= MAX_LABEL else f"{text[:MAX_LABEL]}…"
