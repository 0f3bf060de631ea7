"""Calls of hooks: what a host's document says, and the document that answers it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .hosts import HOSTS, PROMPT, START, Host
from .projects import bank_of_root, root_of
from .spool import Event

#: Event that `foxing install` leaves in the spool, so that past sessions are imported.
INSTALLED = "installed"


def answer_of(host: Host, event: str, text: str, notice: str = "") -> bytes:
    """Returns the document that a host reads; empty for nothing to add. `text`: for the model; `notice`: a line for the
    user, for hosts that show one."""
    document: dict[str, Any] = {"systemMessage": notice} if notice and host.notices else {}
    if text and host.answer_form == "hookSpecificOutput":
        document["hookSpecificOutput"] = {"hookEventName": event, "additionalContext": text}
    elif text:
        document["additional_context"] = text
        if host.events[event] == PROMPT:
            document["continue"] = True
    return json.dumps(document, ensure_ascii=False).encode() if document else b""


def logs_beside(host: Host, log: Path | None) -> Path:
    """Returns the folder of all session logs of a host. `log`: one of them, if known."""
    for parent in () if log is None else log.parents:
        if parent.name == host.logs:
            return parent
    return Path(host.folder()) / host.logs


@dataclass(frozen=True)
class HookCall:
    """A call of a hook, with the members of the host's document that are used."""

    host: Host
    event: str
    moment: str
    bank: str
    #: root of the project
    root: Path
    #: name of the session, as the host gives it; empty if it gives none
    session: str
    prompt: str
    #: a message of the model, from hosts whose hooks have it
    response: str
    #: name of the turn, from such hosts
    turn: str
    #: the session log, and that of the sub-agent whose end is announced
    logs: Sequence[Path]
    #: how the session began, such as “compact” after its history was summarised
    source: str
    #: time of the event, nanoseconds since 1970
    at_ns: int
    #: further banks from which a prompt is answered, such as those of a person and a team
    banks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.host.name} {self.event}"

    @property
    def thread(self) -> str:
        """The thread of the session, as the importer of its log names it."""
        return f"{self.host.name}:{self.session}" if self.session else ""

    @classmethod
    def of(cls, event: Event, *, is_remote: bool = False) -> "HookCall":
        """Returns the call that an event is. `is_remote`: whether its folder is on another machine, so that it is the
        root of the project. Raises `ValueError` for an unknown host or event, and for a document that is not JSON."""
        host = HOSTS.get(event.host)
        moment = START if event.name == INSTALLED else None if host is None else host.events.get(event.name)
        if host is None or moment is None:
            raise ValueError(f"no hook of '{event.host}' is called '{event.name}'")
        from foxing.memory.bounded_json import loads
        from foxing.memory.conversation.hosts import words_of_user

        fields = loads(event.payload) if event.payload.strip() else {}
        if not isinstance(fields, dict):
            raise ValueError("the document is not an object")
        roots = fields.get("workspace_roots")
        opened = roots[0] if isinstance(roots, list) and roots else fields.get("cwd")
        folder = Path(opened if isinstance(opened, str) and opened else event.folder)
        root = folder if is_remote else root_of(folder)
        logs = [fields.get(name) for name in ("transcript_path", "agent_transcript_path")]
        bank, *others = event.bank.split(",")
        texts = {name: _text(fields, member) for name, member in host.members.items()}
        return cls(
            host,
            event.name,
            moment,
            bank or bank_of_root(root),
            root,
            texts["session"],
            words_of_user(texts["prompt"]),
            texts["response"],
            texts["turn"],
            [Path(log).expanduser() for log in logs if isinstance(log, str) and log] if host.log_format else [],
            _text(fields, "source"),
            event.at_ns,
            tuple(filter(None, others)),
        )


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
