"""Coding agents: which events their hooks have, where they say what, and what they read."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from .projects import bank_of, root_of
from .spool import Event


class Moment(StrEnum):
    """Kind of event, by what happens at it."""

    #: a session begins: its project is said what was worked on
    START = "start"
    #: a prompt is sent: what recall finds for it is added
    PROMPT = "prompt"
    #: a message of the model is complete
    RESPONSE = "response"
    #: a turn has ended, or the history is about to be summarised: what is new is stored
    TURN = "turn"
    #: the session ends: what is new is stored and sealed
    END = "end"


@dataclass(frozen=True)
class Tool:
    """A coding agent."""

    name: str
    title: str
    #: name of an event → what happens
    events: Mapping[str, Moment]
    #: format of its session logs; empty if the hooks themselves have the messages
    format: str = ""
    #: variable of the environment that names its folder
    home_variable: str = ""
    #: its folder in that of the user
    home: str = ""
    #: the folder of its session logs in its own
    logs: str = ""

    def folder(self) -> Path:
        """Returns the folder in which the tool keeps settings and sessions of the user."""
        named = os.environ.get(self.home_variable) if self.home_variable else None
        return Path(named).expanduser() if named else Path.home() / self.home

    def logs_beside(self, log: Path | None) -> Path:
        """Returns the folder of all session logs. `log`: one of them, if known."""
        for parent in () if log is None else log.parents:
            if parent.name == self.logs:
                return parent
        return self.folder() / self.logs

    def answer(self, event: str, text: str, notice: str = "") -> bytes:
        """Returns the document that the tool reads; empty for nothing to add. `text`: for the model; `notice`: a line
        for the user, in tools that show one."""
        document: dict[str, Any] = {"systemMessage": notice} if notice and self.format else {}
        if not text:
            pass
        elif self.format:
            document["hookSpecificOutput"] = {"hookEventName": event, "additionalContext": text}
        elif self.events[event] is Moment.PROMPT:
            document = {"continue": True, "additional_context": text}
        else:
            document = {"additional_context": text}
        return json.dumps(document, ensure_ascii=False).encode() if document else b""


CLAUDE_CODE = Tool(
    "claude-code",
    "Claude Code",
    {
        "SessionStart": Moment.START,
        "UserPromptSubmit": Moment.PROMPT,
        "Stop": Moment.TURN,
        "SubagentStop": Moment.TURN,
        "PreCompact": Moment.TURN,
        "SessionEnd": Moment.END,
    },
    "claude-code",
    "CLAUDE_CONFIG_DIR",
    ".claude",
    "projects",
)
CODEX = Tool(
    "codex",
    "Codex",
    {
        "SessionStart": Moment.START,
        "UserPromptSubmit": Moment.PROMPT,
        "Stop": Moment.TURN,
        "PreCompact": Moment.TURN,
        "SessionEnd": Moment.END,
    },
    "codex",
    "CODEX_HOME",
    ".codex",
    "sessions",
)
CURSOR = Tool(
    "cursor",
    "Cursor",
    {
        "sessionStart": Moment.START,
        "beforeSubmitPrompt": Moment.PROMPT,
        "afterAgentResponse": Moment.RESPONSE,
        "stop": Moment.TURN,
        "sessionEnd": Moment.END,
    },
    home=".cursor",
)
TOOLS: Mapping[str, Tool] = {tool.name: tool for tool in (CLAUDE_CODE, CODEX, CURSOR)}
#: Event that `foxing install` leaves in the spool, so that past sessions are imported.
INSTALLED = "installed"


@dataclass(frozen=True)
class HookCall:
    """A call of a hook, with the fields of the tool's document that are used."""

    tool: Tool
    event: str
    moment: Moment
    bank: str
    #: root of the project
    root: Path
    #: name of the session, as the tool gives it; empty if it gives none
    session: str
    prompt: str
    #: a message of the model, from tools whose hooks have it
    response: str
    #: name of the turn, from such tools
    turn: str
    #: the session log, and that of the sub-agent whose end is announced
    logs: Sequence[Path]
    #: how the session began, such as “compact” after its history was summarised
    source: str
    #: time of the event, nanoseconds since 1970
    at_ns: int

    def __str__(self) -> str:
        return f"{self.tool.name} {self.event}"

    @property
    def thread(self) -> str:
        """The thread of the session, as the importer of its log names it."""
        return f"{self.tool.name}:{self.session}" if self.session else ""

    @classmethod
    def of(cls, event: Event) -> "HookCall":
        """Returns the call that an event is. Raises `ValueError` for an unknown tool or event, and for a document that
        is not JSON."""
        tool = TOOLS.get(event.tool)
        moment = Moment.START if event.name == INSTALLED else None if tool is None else tool.events.get(event.name)
        if tool is None or moment is None:
            raise ValueError(f"no hook of '{event.tool}' is called '{event.name}'")
        from foxing.memory.bounded_json import loads  # the hook itself imports nothing that takes long

        fields = loads(event.payload) if event.payload.strip() else {}
        if not isinstance(fields, dict):
            raise ValueError("the document is not an object")
        roots = fields.get("workspace_roots")
        opened = roots[0] if isinstance(roots, list) and roots else fields.get("cwd")
        folder = Path(opened if isinstance(opened, str) and opened else event.folder)
        logs = [fields.get(name) for name in ("transcript_path", "agent_transcript_path")]
        return cls(
            tool,
            event.name,
            moment,
            event.bank or bank_of(folder),
            root_of(folder),
            _text(fields, "session_id") or _text(fields, "conversation_id"),
            _text(fields, "prompt"),
            _text(fields, "text"),
            _text(fields, "generation_id"),
            [Path(log).expanduser() for log in logs if isinstance(log, str) and log] if tool.format else [],
            _text(fields, "source"),
            event.at_ns,
        )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
