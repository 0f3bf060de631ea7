"""What every block type of the providers' SDKs becomes, and how unreadable ones end."""

from importlib.util import find_spec
from typing import Any

import pytest
from support.sdk_types import RECORDED, declared_types

from foxing.memory import InvalidInput, NewMessage
from foxing.memory.conversation import Provider, parse, read_blocks
from foxing.memory.conversation.blocks import MAX_DEPTH

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
WEB = {"type": "web_search_result", "title": "Tides", "url": "https://tides.example", "encrypted_content": "Ab3"}

#: Block of Anthropic → the lines of its text, after “kind: ”; a result's with its id.
ANTHROPIC: dict[str, tuple[dict[str, Any], str]] = {
    "text": (
        {"text": "Hello", "citations": [{"title": "Log", "url": "https://a.example"}]},
        "Hello\n[sources: Log https://a.example]",
    ),
    "image": ({"source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}, "■ image 1, 1x1 px"),
    "document": (
        {"title": "contract.txt", "source": {"type": "text", "media_type": "text/plain", "data": "Clause 1"}},
        "[document: contract.txt]\nClause 1",
    ),
    "search_result": (
        {"title": "FAQ", "source": "faq.md", "content": [{"type": "text", "text": "Ask."}]},
        "[search result: FAQ, faq.md]\nAsk.",
    ),
    "thinking": ({"thinking": "hm", "signature": "s"}, ""),
    "redacted_thinking": ({"data": "xyz"}, ""),
    "tool_use": ({"id": "t1", "name": "find", "input": {"q": "a"}}, '△ find t1 {"q":"a"}'),
    "tool_result": (
        {"tool_use_id": "t1", "content": [{"type": "text", "text": "3 found"}], "is_error": True},
        "▽ t1 error\n3 found",
    ),
    "server_tool_use": (
        {"id": "s1", "name": "web_search", "input": {"query": "tides"}},
        '△ web_search s1 {"query":"tides"}',
    ),
    "web_search_tool_result": ({"tool_use_id": "s1", "content": [WEB]}, "▽ s1\nTides\nhttps://tides.example"),
    "web_fetch_tool_result": (
        {
            "tool_use_id": "s2",
            "content": {
                "type": "web_fetch_result",
                "url": "https://b.example",
                "content": {"type": "document", "title": "Page", "source": {"type": "text", "data": "High tide at 9"}},
            },
        },
        "▽ s2\nhttps://b.example\nPage\nHigh tide at 9",
    ),
    "code_execution_tool_result": (
        {
            "tool_use_id": "s3",
            "content": {"type": "code_execution_result", "stdout": "42", "stderr": "", "return_code": 0, "content": []},
        },
        "▽ s3\n42",
    ),
    "bash_code_execution_tool_result": (
        {
            "tool_use_id": "s4",
            "content": {
                "type": "bash_code_execution_result",
                "stdout": "",
                "stderr": "no such file",
                "return_code": 1,
                "content": [{"type": "bash_code_execution_output", "file_id": "file_9"}],
            },
        },
        "▽ s4\nno such file\n[bash_code_execution_output: file_9]",
    ),
    "text_editor_code_execution_tool_result": (
        {
            "tool_use_id": "s5",
            "content": {"type": "text_editor_code_execution_view_result", "content": "line 1", "file_type": "text"},
        },
        "▽ s5\nline 1",
    ),
    "tool_search_tool_result": (
        {
            "tool_use_id": "s6",
            "content": {
                "type": "tool_search_tool_search_result",
                "tool_references": [{"type": "tool_reference", "tool_name": "weather"}],
            },
        },
        "▽ s6\nweather",
    ),
    "container_upload": ({"file_id": "file_1"}, "[file: file_1]"),
    "advisor_tool_result": (
        {"tool_use_id": "s7", "content": {"type": "advisor_result", "text": "Use a queue."}},
        "▽ s7\nUse a queue.",
    ),
    "compaction": ({"content": "They talked."}, ""),
    "fallback": ({"from": {"model": "a"}, "to": {"model": "b"}}, "[fallback: a to b]"),
    "mcp_tool_listing": (
        {"mcp_server_name": "notes", "tools": [{"name": "add"}, {"name": "list"}]},
        "[mcp tool listing: notes, add, list]",
    ),
    "mcp_tool_use": (
        {"id": "m1", "name": "add", "server_name": "notes", "input": {"text": "x"}},
        '△ notes.add m1 {"text":"x"}',
    ),
    "mcp_tool_result": (
        {"tool_use_id": "m1", "content": [{"type": "text", "text": "added"}], "is_error": False},
        "▽ m1\nadded",
    ),
    "tool_addition": ({"tool": {"name": "weather"}}, "[tool addition: weather]"),
    "tool_removal": ({"tool": {"name": "weather"}}, "[tool removal: weather]"),
}
CHAT: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"text": "Hello"}, "Hello"),
    "image_url": ({"image_url": {"url": f"data:image/png;base64,{PIXEL}"}}, "■ image 1, 1x1 px"),
    "input_audio": ({"input_audio": {"data": "UklG", "format": "wav"}}, "[audio: wav]"),
    "file": (
        {"file": {"filename": "plan.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        "[file: plan.pdf, application/pdf]",
    ),
    "refusal": ({"refusal": "I cannot help with that."}, "I cannot help with that."),
}
RESPONSES_CONTENT: dict[str, tuple[dict[str, Any], str]] = {
    "input_text": ({"text": "Hello"}, "Hello"),
    "output_text": (
        {"text": "High.", "annotations": [{"type": "url_citation", "title": "Tides", "url": "https://t.example"}]},
        "High.\n[sources: Tides https://t.example]",
    ),
    "input_image": ({"image_url": "https://a.example/x.png"}, "■ image 1, <https://a.example/x.png>"),
    "input_file": ({"filename": "plan.pdf", "file_id": "f1"}, "[file: plan.pdf]"),
    "refusal": ({"refusal": "No."}, "No."),
}
ITEMS: dict[str, tuple[dict[str, Any], str]] = {
    "message": ({"role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}, "Hi"),
    "function_call": ({"call_id": "c1", "name": "find", "arguments": '{"q": 1}'}, '△ find c1 \'{"q": 1}'),
    "function_call_output": ({"call_id": "c1", "output": "3 found"}, "▽ c1\n3 found"),
    "custom_tool_call": ({"call_id": "c2", "name": "sql", "input": "select 1"}, "△ sql c2 'select 1"),
    "custom_tool_call_output": ({"call_id": "c2", "output": [{"type": "input_text", "text": "1"}]}, "▽ c2\n1"),
    "local_shell_call": (
        {"call_id": "c3", "action": {"type": "exec", "command": ["ls"]}},
        '△ local_shell c3 {"type":"exec","command":["ls"]}',
    ),
    "local_shell_call_output": ({"id": "c3", "output": "a.txt"}, "▽ c3\na.txt"),
    "shell_call": ({"call_id": "c4", "action": {"commands": ["ls"]}}, '△ shell c4 {"commands":["ls"]}'),
    "shell_call_output": (
        {"call_id": "c4", "output": [{"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]},
        "▽ c4\na.txt",
    ),
    "apply_patch_call": (
        {"call_id": "c5", "operation": {"type": "create_file", "path": "a.py", "diff": "+x"}},
        '△ apply_patch c5 {"type":"create_file","path":"a.py","diff":"+x"}',
    ),
    "apply_patch_call_output": ({"call_id": "c5", "status": "completed", "output": "done"}, "▽ c5\ndone"),
    "computer_call": (
        {"call_id": "c6", "action": {"type": "click", "x": 1, "y": 2}},
        '△ computer c6 {"type":"click","x":1,"y":2}',
    ),
    "computer_call_output": (
        {"call_id": "c6", "output": {"type": "computer_screenshot", "image_url": "https://a.example/s.png"}},
        "▽ c6\n■ image 1, <https://a.example/s.png>",
    ),
    "program": ({"call_id": "c7", "code": "print(1)"}, "△ program c7 'print(1)"),
    "program_output": ({"call_id": "c7", "result": "1"}, "▽ c7\n1"),
    "reasoning": ({"summary": [{"type": "summary_text", "text": "hm"}]}, ""),
    "web_search_call": (
        {"id": "w1", "action": {"type": "search", "query": "tides"}},
        '△ web_search w1 {"type":"search","query":"tides"}',
    ),
    "file_search_call": (
        {"id": "w2", "queries": ["tides"], "results": [{"filename": "a.md", "text": "High at 9"}]},
        '△ file_search w2 {"queries":["tides"]}\n▽ w2\na.md\nHigh at 9',
    ),
    "code_interpreter_call": (
        {"id": "w3", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]},
        "△ code_interpreter w3 '1+1\n▽ w3\n2",
    ),
    "image_generation_call": (
        {"id": "w4", "revised_prompt": "a fox", "result": PIXEL},
        "△ image_generation w4 'a fox\n■ image 1, 1x1 px",
    ),
    "mcp_call": (
        {"id": "w5", "server_label": "notes", "name": "add", "arguments": "{}", "output": "added"},
        "△ notes.add w5 '{}\n▽ w5\nadded",
    ),
    "mcp_list_tools": ({"server_label": "notes", "tools": [{"name": "add"}]}, "[mcp list tools: notes]"),
    "mcp_approval_request": (
        {"server_label": "notes", "name": "add", "arguments": "{}"},
        "[mcp approval request: notes, add, {}]",
    ),
    "mcp_approval_response": ({"approve": True, "reason": "fine"}, "[mcp approval response: True, fine]"),
    "tool_search_call": ({"call_id": "w6", "arguments": {"query": "weather"}}, '△ tool_search w6 {"query":"weather"}'),
    "tool_search_output": ({"call_id": "w6", "tools": []}, "[tool search output]"),
    "additional_tools": ({"tools": []}, "[additional tools]"),
    "configuration_update": ({}, "[configuration update]"),
    "compaction": ({"encrypted_content": "x"}, ""),
    "compaction_trigger": ({}, "[compaction trigger]"),
    "item_reference": ({"id": "msg_1"}, "[item reference: msg_1]"),
}
GEMINI: dict[str, tuple[dict[str, Any], str]] = {
    "text": ({"text": "Hello"}, "Hello"),
    "thought": ({"text": "hm", "thought": True}, ""),
    "thought_signature": ({"thoughtSignature": "x"}, ""),
    "inline_data": ({"inlineData": {"mimeType": "image/png", "data": PIXEL}}, "■ image 1, 1x1 px"),
    "file_data": (
        {"fileData": {"mimeType": "audio/wav", "fileUri": "https://a.example/s.wav"}},
        "[audio: https://a.example/s.wav, audio/wav]",
    ),
    "function_call": ({"functionCall": {"name": "find", "args": {"q": "a"}}}, '△ find find {"q":"a"}'),
    "function_response": ({"functionResponse": {"name": "find", "response": {"output": "3 found"}}}, "▽ find\n3 found"),
    "executable_code": (
        {"executableCode": {"language": "PYTHON", "code": "1+1"}},
        '△ code_execution code_execution {"language":"PYTHON","code":"1+1"}',
    ),
    "code_execution_result": ({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}, "▽ code_execution\n2"),
    "tool_call": (
        {"toolCall": {"id": "g1", "toolType": "GOOGLE_SEARCH", "args": {"query": "a"}}},
        '△ GOOGLE_SEARCH g1 {"query":"a"}',
    ),
    "tool_response": (
        {"toolResponse": {"id": "g1", "toolType": "GOOGLE_SEARCH", "response": {"output": "x"}}},
        "▽ g1\nx",
    ),
    "audio_transcription": ({"audioTranscription": {"text": "Hello there"}}, "Hello there"),
}
#: Members of a part of Gemini that describe another one.
GEMINI_DETAILS = {
    *("audio_metadata", "document_metadata", "media_processing", "media_resolution", "part_metadata"),
    *("speech_metadata", "spreadsheet_metadata", "video_metadata"),
}


def rendered(parts: Any) -> str:
    return NewMessage(role="user", content=list(parts)).text if parts else ""


@pytest.mark.parametrize("kind", ANTHROPIC)
def test_blocks_of_anthropic(kind: str) -> None:
    block, text = ANTHROPIC[kind]
    assert rendered(read_blocks([{"type": kind, **block}]).parts) == text


@pytest.mark.parametrize("kind", CHAT)
def test_blocks_of_chat_completions(kind: str) -> None:
    block, text = CHAT[kind]
    assert rendered(read_blocks([{"type": kind, **block}]).parts) == text


@pytest.mark.parametrize("kind", RESPONSES_CONTENT)
def test_blocks_of_responses(kind: str) -> None:
    block, text = RESPONSES_CONTENT[kind]
    assert rendered(read_blocks([{"type": kind, **block}]).parts) == text


@pytest.mark.parametrize("kind", ITEMS)
def test_items_of_responses(kind: str) -> None:
    item, text = ITEMS[kind]
    [message] = parse("openai-responses", [{"type": kind, **item}])
    assert rendered(message.parts) == text


@pytest.mark.parametrize("kind", GEMINI)
def test_parts_of_gemini(kind: str) -> None:
    part, text = GEMINI[kind]
    [message] = parse("gemini", [{"role": "model", "parts": [part]}])
    assert (message.role, rendered(message.parts)) == ("assistant", text)


def test_every_type_of_the_recorded_sdks_has_an_example() -> None:
    assert ANTHROPIC.keys() == set(RECORDED["anthropic"])
    assert CHAT.keys() == set(RECORDED["openai"])
    assert RESPONSES_CONTENT.keys() == set(RECORDED["openai-responses content"])
    assert ITEMS.keys() == set(RECORDED["openai-responses items"])
    assert GEMINI.keys() == set(RECORDED["gemini"]) - GEMINI_DETAILS


@pytest.mark.slow
def test_the_installed_sdks_declare_what_is_recorded() -> None:
    declared = declared_types()
    if find_spec("google.genai") is None:
        declared["gemini"] = RECORDED["gemini"]
    new = {api: set(declared[api]) - set(RECORDED[api]) for api in RECORDED if api != "versions"}
    if any(new.values()):
        pytest.skip(f"newer SDKs declare types that become labels: {new}; record and read them")


def test_messages_of_chat_completions() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q":1}'}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    messages = parse(
        "openai",
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "assistant", "content": "Looking.", "tool_calls": [call, custom]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "3 found"}]},
            {"role": "function", "name": "old", "content": "1"},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "assistant", "content": None, "audio": {"id": "a", "transcript": "Good morning"}},
        ],
    )
    assert [(message.role, rendered(message.parts)) for message in messages] == [
        ("developer", "Be brief."),
        ("assistant", "Looking.\n△ find c1 '{\"q\":1}\n△ sql c2 'select 1"),
        ("tool", "▽ c1\n3 found"),
        ("tool", "▽ old\n1"),
        ("assistant", "No."),
        ("assistant", "[audio]\nGood morning"),
    ]
    assert (messages[1].opens, messages[2].answers) == (("c1", "c2"), ("c1",))


def test_results_of_tools_are_a_turn_of_their_own() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://a.example/x.png"}}
    [message] = parse(
        "anthropic",
        [
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "drawn"}, image]},
                    {"type": "text", "text": "Why is it blue?"},
                ],
            }
        ],
    )
    assert [(turn.role, rendered(turn.parts)) for turn in message.turns] == [
        ("tool", "▽ t1\ndrawn\n■ image 1, <https://a.example/x.png>"),
        ("user", "Why is it blue?"),
    ]


@pytest.mark.parametrize(
    "block",
    [
        5,
        None,
        [],
        {},
        {"type": None},
        {"type": 7},
        {"type": []},
        {"type": "hologram"},
        {"type": "tool_result"},
        {"type": "tool_use", "id": {"a": 1}, "input": [1]},
        {"type": "document", "source": 3},
        {"type": "image", "source": {"type": "base64"}},
        {"type": "image_url", "image_url": 4},
        {"type": "text", "text": {"a": 1}},
        {"type": "text", "text": "ok", "citations": {"a": 1}},
        {"functionCall": 5},
        {"functionResponse": {"parts": 4}},
    ],
)
def test_a_bad_block_costs_that_block(block: Any) -> None:
    for provider in ("anthropic", "openai", "openai-responses"):
        item = {
            "role": "user",
            "content": [{"type": "text", "text": "before"}, block, {"type": "text", "text": "after"}],
        }
        [message] = parse(provider, [item])
        text = rendered(message.parts)
        assert text.startswith("before")
        assert text.endswith("after")


def test_nesting_is_bounded() -> None:
    block: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(10_000):
        block = {"type": "search_result", "title": "s", "content": [block]}
    text = rendered(read_blocks([{"type": "tool_result", "tool_use_id": "t", "content": [block]}]).parts)
    assert text.count("s\n") <= MAX_DEPTH + 2


@pytest.mark.parametrize(
    ("provider", "item", "reason"),
    [
        ("anthropic", {"role": "tool", "content": "x"}, "role must be system, user, assistant, not 'tool'"),
        ("anthropic", {"role": "user"}, "content must be a string or a list of blocks"),
        ("openai", {"content": "x"}, "role must be"),
        ("openai-responses", {"role": 5, "content": "x"}, "role must be"),
        ("gemini", {"role": "bot", "parts": []}, "role must be user, model, function, not 'bot'"),
        ("openai", 5, "a message must be an object"),
    ],
)
def test_an_item_without_a_speaker_is_refused(provider: Provider, item: Any, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as refused:
        parse(provider, [{"role": "user", "content": "fine", "parts": []}, item])
    assert refused.value.index == 1
