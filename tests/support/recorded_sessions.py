"""A session of Claude Code and one of Codex: what each sends, and the log that it writes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

Json = dict[str, Any]
SESSION = "0b9d1f2e-6f0a-4c1d-9a55-3d1f5a7f7b11"
START = datetime(2026, 9, 1, 8, tzinfo=UTC)
FOLDER = "/home/ana/titan"
REMINDER = "<system-reminder>\nThe date has changed.\n</system-reminder>"
SUMMARY = "This session is being continued from a previous conversation that ran out of context. The build was red."
CODEX_SUMMARY = "Another language model started to solve this problem and produced a summary of it: the build was red."
CONTEXT = "<environment_context>\n  <cwd>/home/ana/titan</cwd>\n</environment_context>"
TITLE = "Generate a concise, sentence-case title (3-7 words) that captures the main topic of this coding session."


@dataclass(frozen=True)
class Call:
    """A request to a model, and its answer."""

    path: str
    headers: Json
    body: Json
    answer: Json


def _text(words: str) -> Json:
    return {"type": "text", "text": words}


def _call(number: int) -> Json:
    return {"type": "tool_use", "id": f"toolu_01{number:022d}", "name": "Bash", "input": {"command": f"make {number}"}}


def _result(number: int) -> Json:
    return {"type": "tool_result", "tool_use_id": f"toolu_01{number:022d}", "content": f"step {number} is green"}


class ClaudeCodeSession:
    """With what Claude Code adds: reminders, a request that was interrupted, a summary, and a request for a title. The
    same words are said twice, and again after the summary; tools are called in parallel, and between texts."""

    thread = f"claude-code:{SESSION}"
    folder = "-home-ana-titan"
    words = (
        *("Fix the build of Titan.", "I look.", "ok", "Two steps.", "make 1", "And one more.", "make 2"),
        *("step 1 is green", "step 2 is green", "Done.", "ok", "Done.", "ok", "make 3", "step 3 is green", "Done."),
    )
    _headers: ClassVar[Json] = {
        "x-api-key": "test",
        "anthropic-version": "2023-06-01",
        "x-claude-code-session-id": SESSION,
        "user-agent": "claude-cli/2.1.197 (external, cli)",
    }
    _before: Sequence[Json] = (
        {"role": "user", "content": [_text(REMINDER), _text("Fix the build of Titan.")]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, _text("I look.")]},
        {"role": "user", "content": "ok"},
        {"role": "assistant", "content": [_text("Two steps."), _call(1), _text("And one more."), _call(2)]},
        {"role": "user", "content": [_result(1), _result(2), _text(REMINDER)]},
        {"role": "assistant", "content": [_text("Done.")]},
        {"role": "user", "content": [_text("[Request interrupted by user]"), _text("ok")]},
        {"role": "assistant", "content": [_text("Done.")]},
    )
    _after: Sequence[Json] = (
        {"role": "user", "content": [_text(REMINDER), _text(SUMMARY), _text("ok")]},
        {"role": "assistant", "content": [_call(3)]},
        {"role": "user", "content": [_result(3)]},
        {"role": "assistant", "content": [_text("Done.")]},
    )

    def calls(self) -> Iterator[Call]:
        """Yields the requests of the session, and their answers."""
        yield self._asked([{"role": "user", "content": "Fix the build of Titan."}], [_text("Titan build")], TITLE)
        for history in (self._before, self._after):
            for place, message in enumerate(history):
                if message["role"] == "assistant":
                    yield self._asked(list(history[:place]), message["content"], "You are Claude Code.")

    def _asked(self, messages: list[Json], content: list[Json], system: str) -> Call:
        body = {"model": "claude-opus-5-5", "max_tokens": 900, "system": system, "messages": messages}
        usage = {"input_tokens": 9, "output_tokens": 9}
        answer = {"id": "msg_1", "type": "message", "role": "assistant", "content": content, "model": body["model"]}
        return Call("/v1/messages", self._headers, body, {**answer, "stop_reason": "end_turn", "usage": usage})

    def log(self) -> str:
        """The log, a line for each block."""
        lines = []
        for message in (*self._before, *self._after):
            content = message["content"]
            for block in [_text(content)] if isinstance(content, str) else content:
                words = block.get("text", "")
                line = {
                    "type": message["role"],
                    "uuid": f"u{len(lines)}",
                    "sessionId": SESSION,
                    "timestamp": _at(len(lines)),
                    "cwd": FOLDER,
                    "message": {"role": message["role"], "content": [block], "model": "claude-opus-5-5"},
                }
                line |= {"isMeta": True} if words == REMINDER else {}
                line |= {"isCompactSummary": True} if words == SUMMARY else {}
                lines.append(json.dumps(line))
        return "\n".join(lines) + "\n"


def _said(role: str, words: str) -> Json:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": words}]}


def _shell(number: int) -> Json:
    arguments = json.dumps({"command": ["make", str(number)]})
    return {"type": "function_call", "call_id": f"call_{number:024d}", "name": "shell", "arguments": arguments}


def _output(number: int) -> Json:
    return {"type": "function_call_output", "call_id": f"call_{number:024d}", "output": f"step {number} is green"}


class CodexSession:
    """With what Codex adds: instructions, the folder, and a summary. The same words are said twice, and again after the
    summary."""

    thread = f"codex:{SESSION}"
    folder = "2026"
    words = (
        *("Fix the build of Titan.", "I look.", "make 1", "step 1 is green", "Done.", "ok", "Done.", "ok", "make 2"),
        *("step 2 is green", "Done."),
    )
    _headers: ClassVar[Json] = {"authorization": "Bearer test", "session_id": SESSION, "originator": "codex_cli_rs"}
    _start: Sequence[Json] = (_said("developer", "Be brief."), _said("user", CONTEXT))
    _before: Sequence[Sequence[Json]] = (
        (_said("user", "Fix the build of Titan."),),
        ({"type": "reasoning", "summary": [], "encrypted_content": "x"}, _said("assistant", "I look."), _shell(1)),
        (_output(1),),
        (_said("assistant", "Done."),),
        (_said("user", "ok"),),
        (_said("assistant", "Done."),),
    )
    _after: Sequence[Sequence[Json]] = (
        (_said("user", "ok"),),
        (_shell(2),),
        (_output(2),),
        (_said("assistant", "Done."),),
    )

    def calls(self) -> Iterator[Call]:
        """Yields the requests of the session, and their answers."""
        compacted = (*self._start, _said("user", "Fix the build of Titan."), _said("user", CODEX_SUMMARY))
        for start, history in ((self._start, self._before), (compacted, self._after)):
            for place in range(1, len(history), 2):
                given = [*start, *(item for items in history[:place] for item in items)]
                body = {"model": "gpt-5.6", "store": False, "input": given}
                answer = {"id": f"resp_{place}", "object": "response", "status": "completed", "output": history[place]}
                yield Call("/v1/responses", self._headers, body, answer)

    def log(self) -> str:
        """The log, a line for each item."""
        meta = {"id": SESSION, "cwd": FOLDER}
        lines: list[tuple[str, Json]] = [("session_meta", meta)]
        lines += [("response_item", item) for item in self._start]
        lines += [("response_item", item) for items in self._before for item in items]
        lines.append(("compacted", {"message": CODEX_SUMMARY}))
        lines += [("response_item", item) for items in self._after for item in items]
        dated = enumerate(lines)
        return "".join(
            json.dumps({"timestamp": _at(n), "type": kind, "payload": each}) + "\n" for n, (kind, each) in dated
        )


def _at(second: int) -> str:
    return (START + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
