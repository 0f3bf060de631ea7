"""Sessions of coding agents, written as the tools write them, and events as their hooks leave them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from foxing.integrations.hooks.places import spool_of
from foxing.integrations.hooks.spool import Event, put

START = datetime(2026, 9, 1, 8, tzinfo=UTC)


class ClaudeSession:
    """A session log of Claude Code."""

    def __init__(self, projects: Path, project: Path, name: str) -> None:
        self.id = str(uuid5(NAMESPACE_URL, name))
        self.project = project
        self.path = projects / str(project).replace("/", "-").replace(".", "-") / f"{self.id}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.lines = 0

    @property
    def thread(self) -> str:
        return f"claude-code:{self.id}"

    def line(self, role: str, text: str) -> str:
        """A line of the log."""
        self.lines += 1
        return json.dumps(
            {
                "type": role,
                "uuid": str(uuid5(NAMESPACE_URL, f"{self.id} {self.lines}")),
                "sessionId": self.id,
                "timestamp": (START + timedelta(seconds=self.lines)).isoformat().replace("+00:00", "Z"),
                "cwd": str(self.project),
                "message": {"role": role, "content": text},
            }
        )

    def say(self, *turns: tuple[str, str]) -> None:
        """Adds a prompt and an answer for each turn."""
        with self.path.open("a", encoding="utf-8") as log:
            for prompt, answer in turns:
                log.write(f"{self.line('user', prompt)}\n{self.line('assistant', answer)}\n")

    def payload(self, event: str, **more: str) -> dict[str, str]:
        """The document that the tool gives a hook."""
        given = {"session_id": self.id, "transcript_path": str(self.path), "cwd": str(self.project)}
        return {**given, "hook_event_name": event, **more}


class Announce:
    """Leaves events in the spool, as hooks do."""

    def __init__(self, database: str) -> None:
        self.database = database

    def __call__(self, event: str, payload: Mapping[str, object], tool: str = "claude-code", bank: str = "") -> str:
        folder = str(payload.get("cwd", "/"))
        return put(spool_of(self.database), Event(tool, event, bank, folder, json.dumps(payload).encode()))
