"""Histories of assistants, made by hand after their sources."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .files import archive, file, folder, json_lines


def chatgpt_node(
    key: str, parent: str | None, children: list[str], role: str = "user", content: Any = None, **fields: Any
) -> dict[str, Any]:
    """A node of a conversation of ChatGPT; without `content`, the root."""
    message = None
    if content is not None:
        if isinstance(content, str):
            content = {"content_type": "text", "parts": [content]}
        author = {"role": role, "name": fields.pop("name", None), "metadata": {}}
        message = {"id": key, "author": author, "content": content, "recipient": "all", "weight": 1.0, "metadata": {}}
        message |= fields
    return {"id": key, "parent": parent, "children": children, "message": message}


def chatgpt_conversation(key: str = "c1", *nodes: dict[str, Any], current: str | None = None) -> dict[str, Any]:
    return {
        "id": key,
        "conversation_id": key,
        "title": "Trip to Porto",
        "create_time": 1732200000.12,
        "update_time": 1732200300.5,
        "current_node": current or nodes[-1]["id"],
        "mapping": {node["id"]: node for node in nodes},
    }


def porto() -> dict[str, Any]:
    """A conversation with an image, thoughts, a tool, a citation, a hidden message, a message without a time, and a
    branch that was left."""
    picture = {
        "content_type": "image_asset_pointer",
        "asset_pointer": "sediment://file_00000000abcd",
        "width": 1024,
        "height": 768,
    }
    return chatgpt_conversation(
        "c1",
        chatgpt_node("n0", None, ["n1"]),
        chatgpt_node("n1", "n0", ["h"], "system", "You are helpful", weight=0.0),
        chatgpt_node(
            "h",
            "n1",
            ["n2"],
            "user",
            {"content_type": "user_editable_context", "user_profile": "I am Ana"},
            metadata={"is_visually_hidden_from_conversation": True},
        ),
        chatgpt_node(
            "n2",
            "h",
            ["n3", "x1"],
            "user",
            {"content_type": "multimodal_text", "parts": [picture, "What is this tower?"]},
            create_time=1732200001.0,
            metadata={"attachments": [{"id": "file_00000000abcd", "name": "tower.png", "mime_type": "image/png"}]},
        ),
        chatgpt_node(
            "n3", "n2", ["n4"], "assistant", {"content_type": "thoughts", "thoughts": [{"summary": "Looking"}]}
        ),
        chatgpt_node(
            "n4",
            "n3",
            ["n5"],
            "assistant",
            {"content_type": "code", "language": "python", "text": "look(42)"},
            recipient="python",
            create_time=None,
        ),
        chatgpt_node(
            "n5", "n4", ["n6"], "tool", {"content_type": "execution_output", "text": "tower 42"}, name="python"
        ),
        chatgpt_node(
            "n6",
            "n5",
            [],
            "assistant",
            "The Clérigos tower \ue200cite\ue202turn0\ue201.【4:0†source】",
            create_time=1732200004.0,
        ),
        chatgpt_node("x1", "n2", ["x2"], "assistant", "A lighthouse.", create_time=1732200002.0),
        chatgpt_node("x2", "x1", [], "user", "No.", create_time=1732200003.0),
        current="n6",
    )


def fence(leaf: str | None = "m2") -> dict[str, Any]:
    """A conversation of Claude.ai with an attachment, thoughts, a tool, and an answer that was regenerated."""
    root = "00000000-0000-4000-8000-000000000000"
    return {
        "uuid": "0198",
        "name": "Fence",
        "created_at": "2026-05-01T09:00:00.000000Z",
        "updated_at": "2026-05-01T09:05:00.000000Z",
        "account": {"uuid": "a"},
        **({} if leaf is None else {"current_leaf_message_uuid": leaf}),
        "chat_messages": [
            {
                "uuid": "m1",
                "parent_message_uuid": root,
                "sender": "human",
                "text": "How high?",
                "created_at": "2026-05-01T09:00:01Z",
                "content": [{"type": "text", "text": "How high?"}, None],
                "attachments": [{"file_name": "plan.txt", "extracted_content": "The plot is 20 m wide."}],
                "files": [{"file_name": "photo.jpg"}],
            },
            {
                "uuid": "m0",
                "parent_message_uuid": "m1",
                "sender": "assistant",
                "text": "2.5 m",
                "created_at": "2026-05-01T09:00:02Z",
                "content": [{"type": "text", "text": "2.5 m"}],
                "attachments": [],
                "files": [],
            },
            {
                "uuid": "m2",
                "parent_message_uuid": "m1",
                "sender": "assistant",
                "text": "",
                "created_at": "2026-05-01T09:00:03Z",
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "tool_use", "id": "t1", "name": "search", "input": {"q": "fence"}},
                    {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "1.8 m"}]},
                    {"type": "text", "text": "1.8 m"},
                ],
                "attachments": [],
                "files": [],
            },
        ],
    }


def claude_code_lines() -> list[dict[str, Any]]:
    """A session of Claude Code with a tool, thoughts, lines of its own, and a sub-agent."""
    common = {"sessionId": "s1", "version": "2.1.144", "cwd": "/home/a/p", "gitBranch": "main", "userType": "external"}

    def line(kind: str, key: str, second: int, content: Any, **fields: Any) -> dict[str, Any]:
        at = f"2026-08-20T10:00:{second:02}.000Z"
        message = {"role": kind, "content": content}
        return {"type": kind, "uuid": key, "timestamp": at, "isSidechain": False, "message": message} | common | fields

    return [
        {"type": "summary", "summary": "Fixing a test", "leafUuid": "u5"},
        {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}},
        line("user", "u0", 0, "<command-name>/clear</command-name>", isMeta=True),
        line("user", "u1", 1, "fix the test"),
        line("assistant", "u2", 2, [{"type": "thinking", "thinking": ""}]),
        line("assistant", "u3", 3, [{"type": "text", "text": "I run it."}]),
        line(
            "assistant",
            "u4",
            4,
            [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "pytest"}}],
        ),
        line("user", "u5", 5, [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "1 failed"}]),
        line("user", "u6", 6, "look for it", isSidechain=True, agentId="a7"),
        line("user", "u7", 7, "This session is continued.", isCompactSummary=True),
    ]


def codex_lines(session: str = "r1") -> list[dict[str, Any]]:
    """A session of Codex with what it adds itself, a tool, events that repeat, and two lines of one time."""

    def line(second: int, kind: str, payload: dict[str, Any]) -> dict[str, Any]:
        return {"timestamp": f"2026-08-20T10:00:{second:02}.000Z", "type": kind, "payload": payload}

    def said(second: int, role: str, text: str) -> dict[str, Any]:
        kind = "output_text" if role == "assistant" else "input_text"
        return line(
            second, "response_item", {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        )

    return [
        line(0, "session_meta", {"id": session, "cwd": "/p", "git": {"branch": "main"}}),
        said(0, "user", "<environment_context>\n  <cwd>/p</cwd>\n</environment_context>"),
        said(0, "developer", "<skills_instructions>\n## Skills\n</skills_instructions>"),
        said(1, "user", "fix the test"),
        line(1, "event_msg", {"type": "user_message", "message": "fix the test"}),
        line(2, "turn_context", {"model": "gpt-5.6"}),
        line(3, "response_item", {"type": "reasoning", "summary": [], "encrypted_content": "x"}),
        line(
            3,
            "response_item",
            {"type": "function_call", "name": "shell", "arguments": '{"command": ["pytest"]}', "call_id": "call_1"},
        ),
        line(4, "response_item", {"type": "function_call_output", "call_id": "call_1", "output": "1 failed"}),
        said(5, "assistant", "Done"),
    ]


OPENAI_MESSAGES = [
    {"role": "user", "content": "What is on 14 March?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": "Titan ships"},
]
LANGCHAIN_MESSAGES = [
    {"type": "human", "data": {"content": "Tea?", "type": "human"}},
    {
        "type": "ai",
        "data": {"content": "Yes", "type": "ai", "tool_calls": [{"name": "brew", "args": {"cups": 2}, "id": "b"}]},
    },
]
LOCOMO = [
    {
        "sample_id": "conv-7",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bo",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [{"speaker": "Ann", "dia_id": "D1:1", "text": "Look!"}],
        },
        "qa": [],
    }
]
CONVERSATION = {"id": "talk", "messages": [{"role": "user", "content": "hello"}]}


def gemini_record(title: str, at: str, *answers: str, app: str | None = None, **fields: Any) -> dict[str, Any]:
    url = f"https://gemini.google.com/app/{app}"
    return {
        "header": "Gemini Apps",
        "title": title,
        "time": at,
        "products": ["Gemini Apps"],
        **({"safeHtmlItem": [{"html": answer} for answer in answers]} if answers else {}),
        **({} if app is None else {"details": [{"name": url, "url": url}]}),
    } | fields


#: The newest first: a conversation with an id, a record without, one in German, a file, and what is no prompt.
GEMINI = [
    gemini_record("Prompted And how deep?", "2026-02-02T07:25:02.806Z", "<p>Two</p>", "<p>Three</p>", app="d830"),
    gemini_record(
        "Prompted How high?", "2026-02-02T07:24:02.806Z", "<p>A <b>fence</b> is</p><ul><li>high</li></ul>", app="d830"
    ),
    gemini_record("Selected preferred draft", "2026-02-02T07:23:00.000Z"),
    gemini_record("Eingegebener Prompt: Hallo", "2026-02-02T07:22:00.000Z", "<p>Gr&uuml;&szlig;e</p>"),
    gemini_record(
        "Prompted What is it?",
        "2026-02-02T07:22:00.000Z",
        "A fox",
        attachedFiles=["image_89-1e98.png"],
        subtitles=[{"name": "Attached 1 file."}],
    ),
    gemini_record("Prompted Hi", "2026-02-02T07:20:00.000Z", "Hello"),
]
AI_STUDIO = {
    "runSettings": {"temperature": 1.0, "model": "models/gemini-3-pro"},
    "systemInstruction": {"parts": [{"text": "Be brief"}]},
    "chunkedPrompt": {
        "chunks": [
            {"text": "Look", "role": "user", "tokenCount": 5},
            {"driveImage": {"id": "1a"}, "role": "user"},
            {"text": "hm", "role": "model", "isThought": True},
            {"text": "A fox", "role": "model", "createTime": "2026-03-01T10:00:00Z"},
        ],
        "pendingInputs": [],
    },
}
MEM0 = [
    {
        "id": "m1",
        "memory": "Ann is allergic to nuts",
        "user_id": "ann",
        "metadata": None,
        "created_at": "2026-03-01T10:00:00-08:00",
        "updated_at": None,
    },
    {"id": "m2", "memory": "Bo plays the cello", "user_id": "bo", "created_at": "2026-03-02T10:00:00-08:00"},
]
GROK = {
    "conversations": [
        {
            "conversation": {"id": "g1", "title": "Fence", "create_time": "2026-03-01T10:00:00.000000Z"},
            "responses": [
                {
                    "response": {
                        "_id": "r1",
                        "sender": "human",
                        "message": "How high?",
                        "create_time": {"$date": {"$numberLong": "1772316601500"}},
                    }
                },
                {"response": {"_id": "r2", "sender": "ASSISTANT", "message": "1.8 m", "create_time": None}},
                {"response": {"_id": "r3", "sender": "assistant", "message": ""}},
            ],
        }
    ],
    "projects": [],
}

#: See `HISTORIES` of the package.
MARKDOWN = """---
foxing: 1
thread: "titan"
---

# titan

<!-- foxing: {"id":"t1","role":"user","at":"2026-03-02T09:15:00+00:00","name":"Ann"} -->
## 2026-03-02

**user** Ann · 09:15

When do we ship Titan?

<!-- foxing: {"id":"t2","role":"assistant","at":"2026-03-02T09:16:00+00:00","gaps":[0]} -->
**assistant** · 09:16

On 14 March … without maps.

"""
ASSISTANTS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "ChatGPT, one file": ("chatgpt", lambda p: file(p, json.dumps([porto()]))),
    "ChatGPT, a zip archive": (
        "chatgpt",
        lambda p: archive(
            p,
            {
                "user.json": "{}",
                "chat.html": "<html></html>",
                "conversations.json": json.dumps([porto()]),
                "__MACOSX/._conversations.json": b"\x00\x05",
                "file_00000000abcd-tower.png": b"\x89PNG",
            },
        ),
    ),
    "ChatGPT, shards in a folder": (
        "chatgpt",
        lambda p: folder(
            p,
            {
                "export/conversations-000.json": json.dumps([porto()]),
                "export/conversations-001.json": json.dumps([porto() | {"conversation_id": "c2"}]),
            },
        ),
    ),
    "Claude.ai, a zip archive": (
        "claude",
        lambda p: archive(p, {"users.json": "[]", "projects.json": "[]", "conversations.json": json.dumps([fence()])}),
    ),
    "Claude.ai, one file without leaves": ("claude", lambda p: file(p, json.dumps([fence(None)]))),
    "Claude Code": ("claude-code", lambda p: file(p, json_lines(*claude_code_lines()))),
    "Codex": ("codex", lambda p: file(p, json_lines(*codex_lines()))),
    "OpenAI's messages": ("messages", lambda p: file(p, json.dumps(OPENAI_MESSAGES, indent=1))),
    "messages in an object": ("messages", lambda p: file(p, json.dumps({"messages": OPENAI_MESSAGES}, indent=1))),
    "LangChain's messages": ("messages", lambda p: file(p, json.dumps(LANGCHAIN_MESSAGES))),
    "LoCoMo": ("locomo", lambda p: file(p, json.dumps(LOCOMO))),
    "JSON Lines of conversations": (
        "jsonl",
        lambda p: file(p, json_lines(CONVERSATION, CONVERSATION | {"id": "more"})),
    ),
    "JSON Lines of messages": ("jsonl", lambda p: file(p, json_lines(*OPENAI_MESSAGES))),
    "Gemini, records": ("gemini", lambda p: file(p, json.dumps(GEMINI))),
    "Gemini, indented and from one app": ("gemini", lambda p: file(p, json.dumps(GEMINI[:2], indent=2))),
    "Gemini, Takeout": (
        "gemini",
        lambda p: archive(p, {"Takeout/Meine Aktivitäten/Gemini-Apps/MeineAktivitäten.json": json.dumps(GEMINI)}),
    ),
    "AI Studio": ("ai-studio", lambda p: file(p, json.dumps(AI_STUDIO, indent=2))),
    "AI Studio, without settings": (
        "ai-studio",
        lambda p: file(p, json.dumps({"chunkedPrompt": AI_STUDIO["chunkedPrompt"]})),
    ),
    "AI Studio, a folder": ("ai-studio", lambda p: folder(p, {"Fox": json.dumps(AI_STUDIO)})),
    "Markdown, a thread": ("markdown", lambda p: file(p, MARKDOWN)),
    "mem0, a list": ("mem0", lambda p: file(p, json.dumps(MEM0))),
    "mem0, results": ("mem0", lambda p: file(p, json.dumps({"results": MEM0, "relations": []}, indent=2))),
    "mem0, of agents": (
        "mem0",
        lambda p: file(p, json.dumps([{"id": "m3", "memory": "Bo speaks Irish", "agent_id": "fox"}])),
    ),
    "Grok": ("grok", lambda p: file(p, json.dumps(GROK))),
    "Grok, indented": ("grok", lambda p: file(p, json.dumps(GROK, indent=2))),
    "Grok, a zip archive": ("grok", lambda p: archive(p, {"ttl/prod-grok-backend.json": json.dumps(GROK)})),
}
