"""Sessions of coding agents, invented, and their logs as Claude Code writes them.

The projects of `development_1.json` and `development_2.json` are for choosing limits; that of `held_out.json` is for
figures alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

FOLDER = Path(__file__).parent
SPLITS = ("development_1", "development_2", "held_out")
GAP = timedelta(seconds=40)  # between two messages


@dataclass(frozen=True)
class Fact:
    """Fact of an earlier session, as it is asked for in a new one."""

    question: str
    #: texts of which one must be in what the model is given
    answer: Sequence[str]


@dataclass(frozen=True)
class Project:
    """Sessions of a project, what is asked for later, and prompts that they have nothing to say about."""

    #: time of the first message, and role and text of each
    sessions: Sequence[tuple[datetime, Sequence[tuple[str, str]]]]
    facts: Sequence[Fact]
    off_topic: Sequence[str]

    @classmethod
    def read(cls, split: str) -> "Project":
        """Returns the project of a split."""
        document = json.loads((FOLDER / f"{split}.json").read_text(encoding="utf-8"))
        sessions = [
            (datetime.fromisoformat(each["at"]), [(role, text) for role, text in each["messages"]])
            for each in document["sessions"]
        ]
        facts = [Fact(each["question"], each["answer"]) for each in document["facts"]]
        return cls(sessions, facts, document["off_topic"])


class SessionLog:
    """Session log of Claude Code in a folder of its own for the project."""

    def __init__(self, logs: Path, project: Path, name: str, at: datetime) -> None:
        self.session = str(uuid5(NAMESPACE_URL, name))
        self.project = project
        self.at = at
        self.path = logs / "projects" / str(project).replace("/", "-") / f"{self.session}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lines = 0

    @property
    def thread(self) -> str:
        """The thread that the importer gives it."""
        return f"claude-code:{self.session}"

    def add(self, role: str, text: str) -> None:
        """Adds a message."""
        self._lines += 1
        self.at += GAP
        content: object = text
        if role == "tool":
            content = [{"type": "tool_result", "tool_use_id": f"toolu_{self._lines}", "content": text}]
        line = {
            "type": "assistant" if role == "assistant" else "user",
            "uuid": str(uuid5(NAMESPACE_URL, f"{self.session} {self._lines}")),
            "sessionId": self.session,
            "timestamp": self.at.isoformat(),
            "cwd": str(self.project),
            "message": {"role": "assistant" if role == "assistant" else "user", "content": content},
        }
        with self.path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def payload(self, event: str, **more: str) -> bytes:
        """Returns the document that the tool gives the hook of an event."""
        given = {"session_id": self.session, "transcript_path": str(self.path), "cwd": str(self.project)}
        return json.dumps({**given, "hook_event_name": event, **more}).encode()
