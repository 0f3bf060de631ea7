"""The answers to hooks, mounted in the service at /x/hooks, and the intake of what they store.

The spool, the off switch and late answers belong to the agents of the machine, which share its account. A caller of a
tenant, or one whose key opens some banks alone, gets answers from its banks, and nothing is noted of its sessions.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import anyio.to_thread
from cachetools import LRUCache
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from foxing.memory import Access, InvalidInput
from foxing.renderer.private_files import repair, within

from .answers import Answers
from .calls import HookCall, answer_of
from .hosts import PROMPT, START
from .intake import SESSIONS, Intake
from .notes import stored_last
from .places import WAIT_HEADER, folder_of, spool_of
from .spool import Event, waiting
from .switch import TOLD

if TYPE_CHECKING:
    from foxing.memory import Memory

SQLITE = "sqlite:///"
#: Larger events are parsed in a thread.
LARGE_BYTES = 64 << 10
#: Seconds before an event up to which messages answer it, where its hook stores it first.
BEFORE_S = 1.0
#: Part of the time that a hook waits in which its answer has to be there: the rest is the way of the answer.
IN_TIME = 0.75
#: What the model reads where its user has switched the session.
SWITCHED = "The prompt was for the memory of this session, and is done; say so in a line."
#: What a user is told, once a session, where an answer comes late.
LATE = "Foxing: this machine is busy, and memory came too late for an earlier prompt; it is given with this one"


def make_app(memory: "Memory") -> Starlette:
    """Returns the application. On a SQLite file it also takes in the spool of hooks; on other databases there is
    none."""
    url = memory.operations.database_url
    path = url.removeprefix(SQLITE) if url.startswith(SQLITE) else ""
    database = str(Path(path).resolve()) if path and path != ":memory:" else ""
    answers = Answers(memory)
    intake = Intake(memory, database, answers) if database else None
    hooks = _Hooks(answers, intake)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if intake is not None:
            await anyio.to_thread.run_sync(lambda: repair(within(folder_of(database))))
            intake.start()
        try:
            yield
        finally:
            if intake is not None:
                await anyio.to_thread.run_sync(intake.stop)

    async def status(request: Request) -> JSONResponse:
        spool = len(waiting(spool_of(database))) if database else 0
        stored = dict(stored_last(database)) if database else {}
        past, error = (intake.past, intake.spool.last_error) if intake else (0, None)
        return JSONResponse({"spool": spool, "past": past, "error": error, "stored": stored})

    routes = [
        Route("/status", status, methods=["GET", "POST"]),
        Route("/{tool}/{event}", hooks.answer, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def _patience_s(request: Request) -> float | None:
    """Returns the seconds within which a hook has to be answered; None if it does not say."""
    wait_ms = request.headers.get(WAIT_HEADER, "")
    return IN_TIME * int(wait_ms) / 1000 if wait_ms.isascii() and wait_ms.isdigit() else None


def _is_of_machine() -> bool:
    """Returns True for a caller to whom all banks are open, and with them what the machine has of its sessions."""
    access = Access.current()
    return access.tenant is None and access.banks is None


class _Hooks:
    """Answers to calls."""

    def __init__(self, answers: Answers, intake: Intake | None) -> None:
        self.answers = answers
        self.intake = intake
        self._lock = Lock()
        #: bank and thread of the sessions that were used last: those whose history was summarised, so that the model
        #: has it no longer
        self._compacted: LRUCache[tuple[str, str], None] = LRUCache(SESSIONS)
        #: those whose beginning was answered, and those whose user was told that answers come late
        self._begun: LRUCache[tuple[str, str], None] = LRUCache(SESSIONS)
        self._told: LRUCache[tuple[str, str], None] = LRUCache(SESSIONS)

    async def answer(self, request: Request) -> Response:
        """Answers a hook: 200 with the document for the tool, empty for nothing, and 400 for an unknown hook or an
        invalid name of a bank."""
        query, names = request.query_params, request.path_params
        event = Event(
            names["tool"], names["event"], query.get("bank", ""), query.get("folder", ""), await request.body()
        )
        parse = partial(HookCall.of, event, is_remote=not _is_of_machine())
        try:
            is_large = len(event.payload) > LARGE_BYTES
            call = await anyio.to_thread.run_sync(parse) if is_large else parse()
            text, notice = await self._answer(request, call)
        except (ValueError, InvalidInput) as error:
            return JSONResponse({"detail": str(error)}, 400)
        return Response(answer_of(call.host, call.event, text, notice), media_type="application/json")

    async def _answer(self, request: Request, call: HookCall) -> tuple[str, str]:
        """Returns what `_said` does. Where that takes longer than the hook waits, a prompt gets what was prepared after
        the last turn of its session, and what was looked for is given with the next one."""
        intake = self.intake if _is_of_machine() else None
        answer = asyncio.ensure_future(anyio.to_thread.run_sync(self._said, call, intake))
        if intake is None or call.moment != PROMPT:
            return await answer
        intake.answering.add(call.thread)
        await asyncio.wait({answer}, timeout=_patience_s(request))
        if answer.done() and not await request.is_disconnected():
            intake.answering.discard(call.thread)
            return answer.result()
        answer.add_done_callback(partial(self._keep, intake, call.thread))
        return self.answers.prepared(call.bank, call.thread), ""

    def _keep(self, intake: Intake, thread: str, answer: "asyncio.Future[tuple[str, str]]") -> None:
        """Keeps an answer that is too late for the next prompt of its session."""
        intake.answering.discard(thread)
        if not answer.cancelled() and answer.exception() is None and answer.result()[0]:
            intake.late[thread] = answer.result()[0]

    def _said(self, call: HookCall, intake: Intake | None) -> tuple[str, str]:
        """Returns what the model is given, and what the user is told. What came too late for an earlier prompt of the
        session, or for its beginning, is given before what this one gets. `intake`: that of the machine; None for a
        caller of another."""
        session = Access.current().full_name(call.bank), call.thread
        if intake is not None:
            at = datetime.fromtimestamp(call.at_ns / 1e9, UTC)
            turned = intake.switch.turn(call.thread, call.prompt, at) if call.moment == PROMPT else None
            if turned is not None:
                return f"{SWITCHED} {TOLD[turned]}", f"Foxing: {TOLD[turned]}"
            if intake.switch.is_off(call.thread):
                return "", ""
        with self._lock:
            if call.source == "compact":
                self._compacted[session] = None
            before_the_model = "" if self._compacted.get(session, session) is None else call.thread
            is_first = session not in self._begun
            self._begun[session] = None
        own = before_the_model if call.source == "resume" else ""
        if call.moment == START:
            return self.answers.start(call.bank, own), self.answers.state(call.bank) if is_first else ""
        if call.moment != PROMPT:
            return "", ""
        late = "" if intake is None else intake.late.pop(call.thread, "")
        if not late and is_first and intake is not None and call.thread in intake.begun:
            late = self.answers.start(call.bank, call.thread)
        # the prompt itself may be stored by now, and would be its own best match
        until = None if call.host.log_format else datetime.fromtimestamp(call.at_ns / 1e9 - BEFORE_S, UTC)
        text = self.answers.prompt(call.bank, call.prompt, before_the_model, until, call.banks)
        if not late or late == text:
            return text, ""
        with self._lock:
            notice = "" if session in self._told else LATE
            self._told[session] = None
        return "\n\n".join(filter(None, (late, text))), notice
