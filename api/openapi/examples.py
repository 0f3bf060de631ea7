"""Examples of request bodies for the OpenAPI document. Tests validate each against its model."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from foxing.memory import Policy

Json = dict[str, Any]

BANK = "agent-7"
PAGE_ID = "pg_01jqz6v3m8t5x2w9k4"
MESSAGE_ID = "msg_01jqz5d8e2"
QUARANTINED_ID = "msg_01jqz7kc41"
HOLD_ID = "8b1d5e2f"
FACT_ID = "k7q-12"
JOB_ID = "5f0c1d7e2d9a4c55a1f06c3b8e7d2f10"
TEXT_HASH = "9f86d081884c7d659a2feaa0"
REF = "k7q"
KEY_ID = "3f9a1c2e"


class Example(NamedTuple):
    """An example of a request body."""

    summary: str
    value: Any


BODIES: Mapping[str, list[Example]] = {
    "UsageLimits": [
        Example(
            "At most 20 requests a second and a million messages a bank",
            {"requests_per_s": 20, "bank_messages": 1_000_000},
        )
    ],
    "FactCorrection": [Example("What holds instead", {"text": "My daughter may eat almonds again."})],
    "ThreadTitle": [Example("A title", {"title": "The launch of Titan"})],
    "HoldRequest": [Example("Keep a bank for a case", {"bank": BANK, "reason": "case 2026-114"})],
    "PersonErasureRequest": [Example("What would be erased of a person", {"person": "Mina Berg", "dry_run": True})],
    "KeyRequest": [
        Example(
            "A key that reads the banks of a team for 90 days",
            {"name": "dashboard", "role": "read", "banks": ["team-a.*"], "expires_after": "P90D"},
        )
    ],
    "KeyRotation": [Example("A new key, while the old one works for another day", {"overlap": "P1D"})],
    "ModelCalls": [
        Example(
            "A call of a folded conversation",
            {
                "calls": [
                    {
                        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
                        "called_at": "2026-11-28T11:50:02Z",
                        "session": "session-42",
                        "model": "claude-fable-5-1",
                        "wire": "anthropic",
                        "folded": True,
                        "fresh_tokens": 120,
                        "written_tokens": 1_870,
                        "read_tokens": 37_545,
                        "output_tokens": 260,
                        "original_tokens": 92_410,
                        "original_prefix": 92_290,
                        "original_counted": True,
                    }
                ]
            },
        )
    ],
    "StoreRequest": [
        Example(
            "Two turns of a conversation",
            {
                "thread": "titan-planning",
                "messages": [
                    {
                        "id": MESSAGE_ID,
                        "role": "user",
                        "name": "Mina",
                        "content": "We ship Titan on 14 March, whatever happens.",
                        "created_at": "2026-02-03T09:15:00Z",
                    },
                    {
                        "role": "assistant",
                        "content": "Noted: Titan ships on 14 March.",
                        "created_at": "2026-02-03T09:15:04+00:00",
                    },
                ],
            },
        ),
        Example(
            "A tool call and its result, with metadata",
            {
                "thread": "titan-planning",
                "messages": [
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "text", "text": "Let me look."},
                            {
                                "type": "tool_call",
                                "id": "call_1",
                                "name": "find_issue",
                                "arguments": {"query": "offline maps"},
                            },
                        ],
                        "metadata": {"channel": "planning", "turn": 3},
                    },
                    {
                        "role": "tool",
                        "content": [{"type": "tool_result", "id": "call_1", "content": "TITAN-214: open"}],
                    },
                ],
            },
        ),
    ],
    "ContextRequest": [
        Example(
            "Messages about a question, for Claude",
            {"reader": "claude", "budget": 2000, "query": "When does Titan ship?"},
        ),
        Example(
            "A history of which the prompt cache holds 40,000 tokens as text",
            {
                "reader": "claude-fable-5",
                "budget": 20_000,
                "query": "When does Titan ship?",
                "cached_tokens": 40_000,
                "prices": {"input": 10.0, "read": 1.0, "write": 12.5},
                "images_used": 3,
            },
        ),
        Example(
            "Context for the messages of a prompt",
            {
                "reader": "gpt-6",
                "budget": 4000,
                "thread": "titan-planning",
                "messages": [{"role": "user", "content": "When does Titan ship?"}],
                "as": "openai",
            },
        ),
    ],
    "FoldRequest": [
        Example(
            "A conversation for Claude, 20 minutes after the last call",
            {
                "session": "session-42",
                "wire": "anthropic",
                "reader": "claude-fable-5",
                "budget": 60_000,
                "last_call_at": "2026-02-03T09:15:00Z",
                "system": [{"type": "text", "text": "You are a coding agent."}],
                "messages": [
                    {"role": "user", "content": "Fix the failing test."},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "tool_use", "id": "toolu_1", "name": "run", "input": {"command": "make test"}}
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1 failed, 41 passed"}
                        ],
                    },
                ],
            },
        )
    ],
    "CompressRequest": [
        Example(
            "What LiteLLM sends of a conversation",
            {
                "messages": [
                    {"role": "user", "content": "Why does the build of Titan fail?"},
                    {"role": "tool", "tool_call_id": "call_1", "content": "wrote build/output-1.log in 3 ms"},
                ],
                "model": "claude-fable-5",
                "config": {"mode": "ccr"},
            },
        )
    ],
    "RecallRequest": [
        Example(
            "A question with a time in words",
            {
                "query": "what did we decide about project Titan?",
                "since": "3 weeks ago",
                "timezone": "Europe/Berlin",
                "max_tokens": 2048,
            },
        ),
        Example(
            "All messages of a week, in time order",
            {"since": "2026-02-01T00:00:00Z", "until": "2026-02-08T00:00:00Z", "limit": 100},
        ),
        Example(
            "Page images for a reader", {"query": "project Titan", "format": "images", "reader": "native", "limit": 4}
        ),
    ],
    "RecordWrites": [
        Example(
            "Store a record and delete another",
            {
                "writes": [
                    {
                        "op": "put",
                        "namespace": ["agent", "preferences"],
                        "key": "mina",
                        "value": {"drink": "tea"},
                        "ttl_s": 86400,
                    },
                    {"op": "delete", "namespace": ["agent", "preferences"], "key": "ben", "if_version": 5},
                ]
            },
        )
    ],
    "RecordKeys": [Example("One record", {"records": [{"namespace": ["agent", "preferences"], "key": "mina"}]})],
    "RecordSearch": [
        Example(
            "Filter by a member", {"namespace": ["agent"], "filter": [{"member": "drink", "op": "eq", "value": "tea"}]}
        )
    ],
    "NamespaceList": [Example("Namespaces below a label", {"prefix": ["agent"]})],
    "Policy": [Example("The default policy", Policy().model_dump(mode="json"))],
    "SealRequest": [Example("Seal all open messages", {})],
    "AgeRequest": [Example("Dry run", {"dry_run": True, "now": "2026-03-10T00:00:00Z"})],
    "ReencodeRequest": [Example("Report what would be reencoded", {"dry_run": True})],
    "UndoRequest": [Example("Restore what was dropped since a date", {"since": "2026-03-09T00:00:00Z"})],
}
