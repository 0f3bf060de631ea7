"""Intake: stores the turns that hooks announce, from session logs where the tool writes them.

What a log has is stored by its importer, so that the ids are those that `import` and `watch` give. A log is read again
until it rests, because some tools write the end of a turn after its hook. Past sessions of a project are imported in
the background, one file after the other, when its first session begins.
"""

import hashlib
import logging
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event as Signal
from threading import Lock, Thread
from typing import Any

from cachetools import LRUCache

from foxing.integrations.outbox.delivery import refuses
from foxing.integrations.outbox.spool import Spool
from foxing.memory import ImportOptions, InvalidInput, Memory, MemoryFault, NewMessage, NotFound, StoreResult
from foxing.memory.ingest.importers import HistoryFiles, check_file, store_file
from foxing.memory.ingest.redaction import Redaction
from foxing.renderer import FoxingError

from .answers import Answers
from .calls import HookCall, logs_beside
from .hosts import END, PROMPT, RESPONSE, START, Host
from .notes import STORED, read_json, stored_last, write_json
from .places import folder_of, note, spool_of
from .projects import root_of
from .spool import read, waiting
from .switch import OffSwitch

log = logging.getLogger(__name__)

#: Policy of banks that hooks create: text between `<private>` and `</private>`, and secrets, are not stored.
POLICY: Mapping[str, Any] = {"redact": ["private", "secrets"]}
#: Seconds between two looks at the spool, and for which a log is looked at after an event of it.
EVERY_S = 0.25
LOOKED_AT_S = 20.0
#: Age up to which the beginning of a session, or a prompt, that nobody answered is answered with the next prompt.
LATE_NS = 600 * 10**9
#: Maximum number of sessions of which something is known.
SESSIONS = 1_000
#: Seconds after which a log with messages of the future is tried again.
LATE_S = 60.0
#: Seconds within which a log must be read; a longer one is left to `foxing import`.
READ_S = 120.0
#: Where the last message of each log is noted that was stored, in the folder of hooks.
LAST = "logs.json"
#: Roles whose words say what the next prompt of a session is likely to be about, and characters of each.
SPEAKERS, CONTEXT_CHARS = ("assistant", "user"), 400
#: Question with which models are loaded.
WARMING = "what did we do here last time"


class Intake:
    """Stores what hooks announce."""

    def __init__(self, memory: Memory, database: str, answers: Answers) -> None:
        """`database`: path of the SQLite database of the memory. `answers`: those that are prepared."""
        self.memory = memory
        self.database = database
        self.answers = answers
        #: banks with new messages since answers were prepared
        self._changed: set[str] = set()
        #: bank → its session that was stored last, and what was said last in it, by role
        self._newest: dict[str, tuple[str, dict[str, str]]] = {}
        #: logs of past sessions that wait, each with its tool and bank
        self._past: deque[tuple[Host, str, Path]] = deque()
        #: tools and projects whose past sessions were found already
        self._searched: set[tuple[str, str, Path]] = set()
        #: log → its tool and bank, and until when it is looked at, on the monotonic clock
        self._recent: dict[Path, tuple[Host, str, float]] = {}
        #: logs with messages of the future, since the clock was set back → their tool and bank, and when they are tried
        #: again, on the monotonic clock
        self._late: dict[Path, tuple[Host, str, float]] = {}
        #: log and bank → its size and time of change when it was read last
        self._read: dict[tuple[Path, str], tuple[int, int]] = {}
        #: bank and log → id of the last message of it that was stored
        self._last: dict[str, str] = read_json(Path(folder_of(database)) / LAST)
        #: banks whose policy was looked at
        self._banks: set[str] = set()
        #: sessions whose beginning was announced lately
        self.begun: LRUCache[str, None] = LRUCache(SESSIONS)
        #: session → what was found for a prompt whose hook could not wait
        self.late: LRUCache[str, str] = LRUCache(SESSIONS)
        #: sessions whose prompt is being answered; if that is too late, it is put into `late`, and not looked for twice
        self.answering: set[str] = set()
        #: events that wait
        self.spool = Spool(
            partial(waiting, spool_of(database)), lambda path: HookCall.of(read(path)), partial(note, database)
        )
        #: sessions that are off
        self.switch = OffSwitch(database)
        self._lock = Lock()
        self._ended = Signal()
        self._thread = Thread(target=self._run, name="hooks", daemon=True)

    def start(self) -> None:
        """Takes in events in a thread from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, after the file that it is at."""
        self._ended.set()
        self._thread.join()

    @property
    def past(self) -> int:
        """Number of past sessions that wait to be imported."""
        return len(self._past)

    def take_in(self) -> int:
        """Stores what the events in the spool announce, oldest first, and returns their number. An event that cannot be
        stored now waits; see `Spool`."""
        with self._lock:
            return self.spool.take_in(self._handle)

    def look_again(self, *, rest: bool = False) -> None:
        """Reads the logs of recent events that have changed. `rest`: those that would be looked at later as well."""
        with self._lock:
            now = time.monotonic()
            for path, (host, bank, until) in list(self._recent.items()):
                self._import(host, bank, path)
                if rest or now > until:
                    self._recent.pop(path, None)
            for path, (host, bank, at) in list(self._late.items()):
                if rest or now > at:
                    self._import(host, bank, path)

    def import_past(self) -> bool:
        """Imports the log of a past session. Returns False if none waits."""
        with self._lock:
            if not self._past:
                return False
            host, bank, path = self._past.popleft()
            self._import(host, bank, path)
            return True

    def prepare(self) -> None:
        """Embeds what was stored, and prepares what the next session of each bank begins with, and what the next prompt
        is given if it cannot be answered in time."""
        while self._changed and not self._ended.is_set():
            bank = self._changed.pop()
            while self.memory.operations.embed_new(bank) and not self._ended.is_set():
                pass
            self.answers.start(bank)
            thread, speech = self._newest.get(bank, ("", {}))
            if thread and not self.switch.is_off(thread):
                self.answers.prepare(bank, thread, [speech[role] for role in SPEAKERS if role in speech])

    def _run(self) -> None:
        self._warm()
        while not self._ended.wait(max(EVERY_S, self.spool.pause_s)):
            try:
                self.take_in()
                self.look_again()
                while not self._ended.is_set() and not waiting(spool_of(self.database)) and self.import_past():
                    pass
                self.prepare()
            except Exception as error:  # the thread must go on; the next round tries again
                note(self.database, f"intake: {type(error).__name__}: {error}")
                self._ended.wait(5.0)

    def _warm(self) -> None:
        """Asks something in the bank that was used last, so that the models are loaded when the first prompt comes."""
        noted = stored_last(self.database)
        if noted:
            bank = max(noted, key=lambda name: str(noted[name].get("at")))
            with suppress(FoxingError):
                self.answers.prompt(bank, WARMING)
                self.answers.start(bank)

    def _handle(self, call: HookCall) -> None:
        at_ns = min(call.at_ns, int(self.memory.now().timestamp() * 1e9))  # the clock may have been set back
        if call.moment == PROMPT:
            self.switch.turn(call.thread, call.prompt, datetime.fromtimestamp(at_ns / 1e9, UTC))
        self._ensure(call.bank)
        is_late = bool(call.thread) and time.time_ns() - call.at_ns < LATE_NS
        for path in call.logs:
            self._import(call.host, call.bank, path)
            self._recent[path] = call.host, call.bank, time.monotonic() + LOOKED_AT_S
        if call.moment == START:
            if is_late:
                self.begun[call.thread] = None
            self._find_past(call)
        elif call.moment == PROMPT and call.host.log_format and is_late and not self._is_answered(call.thread):
            text = self.answers.prompt(call.bank, call.prompt, call.thread, banks=call.banks)
            if text:
                self.late[call.thread] = text
        message = _said(call, at_ns)
        if message is not None:
            _Storage(self, call.host).store(call.bank, [message])
        if call.moment == END and self.memory.bank(call.bank).open_messages:
            try:
                self.memory.seal(call.bank)
            except FoxingError as error:  # what was said is stored, and ageing seals it
                note(self.database, f"{call}: {error}")

    def _is_answered(self, thread: str) -> bool:
        """Returns whether a session needs no answer to a prompt that waits."""
        return thread in self.answering or thread in self.late or self.switch.is_off(thread)

    def _find_past(self, call: HookCall) -> None:
        """Queues the session logs of a project that are there already, oldest first."""
        place = call.host.name, call.bank, call.root
        if not call.host.log_format or place in self._searched:
            return
        self._searched.add(place)
        logs = []
        for path in logs_beside(call.host, call.logs[0] if call.logs else None).rglob("*.jsonl"):
            folder = None if path.is_symlink() else session_folder(path)
            if folder is not None and root_of(folder) == call.root and path not in call.logs:
                logs.append((path.stat().st_mtime_ns, path))
        self._past += [(call.host, call.bank, path) for _, path in sorted(logs)]

    def _import(self, host: Host, bank: str, path: Path) -> None:
        """Stores what is new in a log, if it has changed."""
        try:
            status = path.stat()
        except OSError:
            return
        state = status.st_size, status.st_mtime_ns
        if not status.st_size or self._read.get((path, bank)) == state:
            return
        try:
            self._import_changed(host, bank, path, state)
        except FoxingError:
            raise
        except Exception as error:  # a bug: other logs are imported, and this one again when it has changed
            log.exception("%s cannot be imported", path)
            note(self.database, f"{path.name} is not stored: {type(error).__name__}: {error}")
            self._read[path, bank] = state

    def _import_changed(self, host: Host, bank: str, path: Path, state: tuple[int, int]) -> None:
        ids: list[str] = []
        options = ImportOptions(format=host.log_format, max_seconds=READ_S)
        try:
            source = check_file(path, options, lambda message: ids.append(message.id or ""))
        except InvalidInput as error:  # no message yet, or another file
            log.debug("%s is not imported: %s", path, error)
            self._read[path, bank] = state
            return
        place = f"{bank} {path}"
        last = self._last.get(place)
        stored = frozenset(ids[: ids.index(last) + 1] if last in ids else ())
        if len(stored) < len(ids):
            storage = _Storage(self, host, stored)
            try:
                report = store_file(storage, source, bank=bank)
            except FoxingError as error:
                if not refuses(error):
                    raise
                note(self.database, f"{path.name} is not stored: {error}")
                return
            for omission in report.left_out[len(source.left_out) :] if path not in self._late else ():
                note(
                    self.database,
                    f"{path.name}: {omission.count} {omission.reason} are not stored, the first in {omission.first}",
                )
            # a time in the future may be past when the log is read again
            done = next((number for number, key in enumerate(ids) if key in storage.early), len(ids))
            if done:
                self._last[place] = ids[done - 1]
                write_json(Path(folder_of(self.database)) / LAST, self._last)
            if storage.early:
                self._late[path] = host, bank, time.monotonic() + LATE_S
                return
        self._read[path, bank] = state
        self._late.pop(path, None)

    def _note_newest(self, bank: str, messages: Sequence[NewMessage]) -> None:
        """Notes what was said last in a session."""
        thread = messages[-1].thread or ""
        noted, speech = self._newest.get(bank, ("", {}))
        speech = speech if noted == thread else {}
        speech |= {message.role: message.text[-CONTEXT_CHARS:] for message in messages if message.role in SPEAKERS}
        self._newest[bank] = thread, speech

    def _ensure(self, bank: str) -> None:
        """Creates a bank with the policy of hooks, if it does not exist."""
        if bank in self._banks:
            return
        try:
            self.memory.policy(bank)
        except NotFound:
            self.memory.set_policy(bank, POLICY)
        self._banks.add(bank)


class _Storage:
    """Storage of messages that leaves out those stored earlier, which may have been erased since, and private text."""

    _private = Redaction(("private",))

    def __init__(self, intake: Intake, host: Host, stored: Collection[str] = ()) -> None:
        """`stored`: ids of the messages that were stored earlier."""
        self.intake = intake
        self.host = host
        self.stored = stored
        #: ids of messages that are refused because their time has not come
        self.early: set[str | None] = set()

    def store(self, bank: str, messages: Sequence[NewMessage | Mapping[str, Any]]) -> StoreResult:
        """Stores what is new; see `Memory.store`."""
        parsed = [
            message if isinstance(message, NewMessage) else NewMessage.model_validate(message) for message in messages
        ]
        new = [
            self._private.message(message, Counter())
            for message in parsed
            if message.id not in self.stored and not self._is_off(message)
        ]
        if not new:
            return StoreResult(ids=[message.id or "" for message in parsed], stored=0, duplicates=len(parsed))
        try:
            result = self.intake.memory.store(bank, new)
        except FoxingError as error:
            if error.retry == "after" and len(new) == 1:
                self.early.add(new[0].id)
            raise
        if result.stored:
            self.intake._changed.add(bank)
            self.intake._note_newest(bank, new)
            note_stored(self.intake.database, bank, self.host.name, new[-1], result.stored)
        return result

    def _is_off(self, message: NewMessage) -> bool:
        return self.intake.switch.covers(message.thread or "", message.created_at or self.intake.memory.now())


def session_folder(path: Path) -> Path | None:
    """Returns the folder in which a session worked, as its log says; None if it does not."""
    try:
        lines = HistoryFiles.of(path).first_lines(path.name)
    except MemoryFault:
        return None
    for line in lines:
        payload = line.get("payload")
        folder = line.get("cwd") or (payload.get("cwd") if isinstance(payload, dict) else None)
        if isinstance(folder, str) and folder:
            return Path(folder)
    return None


def note_stored(database: str, bank: str, tool: str, message: NewMessage, stored: int) -> None:
    """Notes what was stored last in a bank."""
    noted = stored_last(database)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    noted[bank] = {"tool": tool, "thread": message.thread, "message": message.id, "messages": stored, "at": at}
    write_json(Path(folder_of(database)) / STORED, noted)


def _said(call: HookCall, at_ns: int) -> NewMessage | None:
    """Returns the message that the document of a hook has, for tools whose session logs have no ids."""
    text = call.prompt if call.moment == PROMPT else call.response if call.moment == RESPONSE else ""
    if call.host.log_format or not text.strip() or not call.session:
        return None
    role = "user" if call.moment == PROMPT else "assistant"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return NewMessage.model_validate(
        {
            "id": f"{call.thread}:{call.turn or at_ns}:{role}:{digest}",
            "role": role,
            "content": text,
            "created_at": datetime.fromtimestamp(at_ns / 1e9, UTC),
            "thread": call.thread,
        }
    )
