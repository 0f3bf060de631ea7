"""A simulation: steps on a real memory, each held against the model."""

import hashlib
import json
import logging
import os
import shutil
import signal
import sqlite3
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from foxing.encoder import Codec
from foxing.integrations.client import Client
from foxing.memory import (
    Conflict,
    DatabaseOptions,
    Forgotten,
    InvalidInput,
    InvalidTime,
    Maintenance,
    Memory,
    MemoryOptions,
    NewMessage,
    NotFound,
    Policy,
    RecalledMessage,
    StorageError,
)
from foxing.memory.ingest.importers import ImportOptions, import_file
from foxing.renderer import FoxingError
from foxing.renderer.clock import MAX_CLOCK_SKEW

from .codec import PackedCodec, packed_images
from .embedder import WordEmbedder
from .faults import Faults, Killed, during
from .folds import BANK as SESSION_BANK
from .folds import Session, prefix
from .model import (
    TIERS,
    BankModel,
    Finding,
    Said,
    age_start,
    check,
    check_message,
    resolve,
    short,
    tier_of_age,
)
from .service import client_of
from .steps import Step
from .surroundings import Clock, owned, small_batches

#: Steps that change no words.
READING = frozenset({"recall", "window", "context", "backup", "check", "conflict", "view", "images", "fork"})
YEAR_S = 365.25 * 86_400
PNG = b"\x89PNG"
#: Seconds after which a forked process that waits is ended.
FORK_S = 30


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    result: Any = None
    error: FoxingError | None = None
    killed: bool = False
    #: Whether a fault happened during it that lets it fail.
    fault: bool = False
    #: Times of the clock before and after it, if the clock moved.
    moved: tuple[datetime, datetime] | None = None
    #: Whether another process erased something meanwhile.
    beside: bool = False

    @property
    def done(self) -> bool:
        return self.error is None and not self.killed

    @property
    def calm(self) -> bool:
        """Whether nothing happened beside it that changes what it may answer."""
        return not self.fault and self.moved is None and not self.beside


class Simulation:
    """A database, the memory on it, and the model. Use it in a `with` block."""

    def __init__(self, seed: int, folder: Path, *, codec: Codec | None = None, embedder: str | None = None) -> None:
        self.seed = seed
        self.folder = folder
        self.path = folder / "foxing.db"
        self.clock = Clock()
        self.native = codec is not None
        self.codec = codec or PackedCodec()
        self.sessions: dict[str, Session] = {}
        rng = Random(f"options {seed}")
        self.embedder = WordEmbedder(slow=rng.random() < 0.5) if embedder is None and rng.random() < 0.5 else None
        self.small = rng.random() < 0.5
        self.options = MemoryOptions(embedder=self.embedder or embedder or "none", read_images=False)
        self.banks: dict[str, BankModel] = {}
        #: Messages that were erased.
        self.gone: dict[int, Said] = {}
        self.backups: dict[int, tuple[Path, dict[str, BankModel]]] = {}
        self.coverage: Counter[tuple[str, str]] = Counter()
        self.calls: Counter[str] = Counter()
        #: Number of calls by door and name.
        self.doors: Counter[tuple[str, str]] = Counter()
        self.bank_s = 0.0
        self.trace = hashlib.sha256()
        self._exports: dict[str, list[RecalledMessage]] = {}
        self._stack = ExitStack()
        self._memory: Memory | None = None
        #: Another memory on the same file, as of another process.
        self._other: Memory | None = None
        #: Client of the service, during a step that goes through it.
        self._client: Client | None = None

    def __enter__(self) -> "Simulation":
        self._stack.enter_context(owned(self.seed, self.clock))
        self._stack.enter_context(_quiet())
        if self.small:
            self._stack.enter_context(small_batches())
        if not self.native:
            self._stack.enter_context(packed_images())
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._drop()
            self._switch_now()
            self._drop()
        finally:
            self._stack.close()

    @property
    def memory(self) -> Memory:
        assert self._memory is not None
        return self._memory

    @property
    def caller(self) -> Any:
        """The memory, or the client of the service over it."""
        return self._client or self.memory

    def _open(self) -> None:
        self._memory = self._opened()

    def _opened(self) -> Memory:
        database = DatabaseOptions(self.path, busy_timeout_s=5)
        return Memory(database, codec=self.codec, clock=self.clock, options=self.options)

    def _switch_now(self) -> None:
        self._memory, self._other = self._other, self._memory

    def _switch(self) -> Any:
        def settle(outcome: Outcome) -> None:
            if self._memory is None:
                self._open()
            self.verify_all()

        return self._switch_now, settle

    def _drop(self) -> None:
        """Ends the memory as a kill does: nothing more is written."""
        if self._memory is not None:
            self._memory._database.close()
            self._memory = None

    # running a step

    def run(self, step: Step) -> None:
        """Runs a step and checks everything that it may concern. Raises `Finding`."""
        call, settle = getattr(self, f"_{step.name}")(**step.arguments)
        self.calls[step.name] += 1
        self.doors[step.door, step.name] += 1
        before = self.clock.now
        through = self._through_service(call) if step.door == "http" else call
        moves = step.fault is not None and step.fault.kind.startswith("clock")
        with (
            during(step.fault, self.clock) as faults,
            self._embedder_failing(step) as embedder,
            self._erasing(step) as erased,
        ):
            outcome = self._outcome(through, faults)
            if self._memory is not None and not faults.dead:
                self._memory._late.wait()
            faults.happened |= embedder is not None and embedder.failures > 0
            outcome = replace(outcome, fault=not moves and (outcome.fault or faults.happened))
        if moves and faults.happened:
            times = sorted((before, self.clock.now))
            outcome = replace(outcome, moved=(times[0], times[1]))
            self._tick_clock()
        outcome = replace(outcome, beside=bool(erased))
        for bank, said in erased:
            if said.id in self.banks[bank].said:
                self.gone[id(said)] = self.banks[bank].said.pop(said.id)
        if (faults.happened or erased) and step.fault is not None:
            self.coverage[step.fault.kind, step.name] += 1
        if step.name not in READING or not outcome.calm:
            self._exports.clear()
        if outcome.killed:
            self._drop()
            if step.name != "restore":
                self._open()
        settle(outcome)
        self._note(step, outcome)

    def _through_service(self, call: Callable[[], Any]) -> Callable[[], Any]:
        def serve() -> Any:
            with client_of(self.memory) as client:
                self._client = client
                try:
                    return call()
                finally:
                    self._client = None

        return serve

    @contextmanager
    def _embedder_failing(self, step: Step) -> Iterator[WordEmbedder | None]:
        """Has the embedder fail during a step whose fault says so."""
        embedder = self.embedder
        if embedder is None or step.fault is None or step.fault.kind != "embedder":
            yield None
            return
        embedder.fails = True
        embedder.failures = 0
        try:
            yield embedder
        finally:
            embedder.fails = False

    @contextmanager
    def _erasing(self, step: Step) -> Iterator[list[tuple[str, Said]]]:
        """Has another memory erase a message while a step encodes pages, if its fault says so. Yields what it has
        erased."""
        erased: list[tuple[str, Said]] = []
        banks = sorted(name for name, model in self.banks.items() if model.said)
        if step.fault is None or step.fault.kind != "erasure" or not isinstance(self.codec, PackedCodec) or not banks:
            yield erased
            return
        bank = step.arguments.get("bank", banks[step.fault.at % len(banks)])
        calls = 0
        number = step.fault.at

        def act() -> None:
            nonlocal calls
            calls += 1
            said = list(self.banks[bank].said.values()) if bank in self.banks else []
            if calls != 1 + number % 2 or not said:
                return
            if number % 3:
                said = said[-8:]  # those that are being sealed, if any are
            other = self._opened()
            try:
                chosen = said[number * 7919 % len(said)]
                other.erase_message(bank, chosen.id or "")
                erased.append((bank, chosen))
            except NotFound:
                pass  # it has expired, or the step itself has erased it
            finally:
                other._database.close()

        self.codec.before_encode = act
        try:
            yield erased
        finally:
            self.codec.before_encode = lambda: None

    @staticmethod
    def _outcome(call: Callable[[], Any], faults: Faults) -> Outcome:
        try:
            result = call()
        except Killed:
            return Outcome(killed=True, fault=True)
        except FoxingError as error:
            return Outcome(error=error, fault=faults.happened, killed=faults.dead)
        except Finding:
            raise
        except BaseException as error:
            if faults.dead:  # the end of the process, among the errors of a task group
                return Outcome(killed=True, fault=True)
            raise Finding(f"{type(error).__name__} is not a documented error: {error}") from error
        if faults.dead:  # a thread or a handler met the end of the process
            return Outcome(result, killed=True, fault=True)
        return Outcome(result, fault=faults.happened)

    def _note(self, step: Step, outcome: Outcome) -> None:
        """Adds what happened to the trace, which is the same for the same seed."""
        error = None if outcome.error is None else type(outcome.error).__name__
        self.trace.update(f"{step.name} {error} {outcome.killed} {self.clock.now}\n".encode())

    def _permit(self, outcome: Outcome, *errors: type[FoxingError]) -> None:
        """Checks that an error is one that may be: by a fault, or one of `errors`."""
        error = outcome.error
        if error is None or isinstance(error, errors):
            return
        if outcome.fault and isinstance(error, StorageError):
            return
        if outcome.moved is not None and isinstance(error, InvalidTime):
            return
        raise Finding(f"{type(error).__name__}: {error}") from error

    # comparison

    def exported(self, bank: str) -> list[RecalledMessage]:
        """Returns all messages of a bank, none if it does not exist. Read once until a step may change them."""
        if bank not in self._exports:
            try:
                self._exports[bank] = list(self.memory.export(bank))
            except NotFound:
                self._exports[bank] = []
        return self._exports[bank]

    def verify(self, bank: str) -> None:
        """Compares a bank with the model."""
        model = self.banks.get(bank)
        messages = self.exported(bank)
        if model is None:
            check(not messages, f"bank {bank} is erased, and has {len(messages)} messages")
            return
        before = dict(model.said)
        resolve(model, messages, self.clock.now)
        for key, said in before.items():
            if key not in model.said:
                self.gone[id(said)] = said
        for message in messages:
            said = model.said[message.message_id]
            said.latest = max(said.latest, self.clock.now)
            check_message(said, message)
            self.trace.update(f"{message.message_id} {message.text} {message.kept} {message.source}".encode())
        if messages:
            info = self.memory.bank(bank)
            hidden = sum(
                said.expires_at is not None and said.expires_at <= self.clock.now for said in model.said.values()
            )
            check(
                len(messages) <= info.messages <= len(messages) + hidden,
                f"bank {bank} counts {info.messages} messages, and exports {len(messages)}",
            )

    def verify_all(self) -> None:
        for bank in list(self.banks):
            self.verify(bank)

    def check_gone(self, path: Path | None = None) -> None:
        """Checks that nothing of what was erased is in the files of the database, or in the file `path`."""
        alive = {said.word for model in self.banks.values() for said in self._possible(model)}
        files = [self.path, self.path.with_name("foxing.db-wal")] if path is None else [path]
        data = b"\0".join(file.read_bytes() for file in files if file.exists())
        for said in self.gone.values():
            if said.word not in alive:
                check(said.word.encode() not in data, f"the word {said.word} of {said.id} is erased, and in a file")

    @staticmethod
    def _possible(model: BankModel) -> Iterator[Said]:
        yield from model.said.values()
        for group in model.unknown:
            yield from group

    def _tick_clock(self) -> None:
        for model in self.banks.values():
            for said in self._possible(model):
                said.latest = max(said.latest, self.clock.now)

    # storing

    def _store(self, bank: str, thread: str, messages: list[Mapping[str, Any]]) -> Any:
        now = self.clock.now
        new = [self._new(fields, thread, now) for fields in messages]
        model = self.banks.get(bank)

        def settle(outcome: Outcome) -> None:
            known = set() if model is None else model.said.keys()
            self._permit(outcome, *([Conflict] if any(said.id in known for said, _ in new) else []))
            self._add(bank, [said for said, _ in new], outcome)

        return (lambda: self.caller.store(bank, [fields for _, fields in new], thread=thread)), settle

    def _new(self, fields: Mapping[str, Any], thread: str, now: datetime) -> tuple[Said, dict[str, Any]]:
        call = dict(fields)
        created_at = now
        if "age_s" in call:
            created_at = call["created_at"] = now - timedelta(seconds=call.pop("age_s"))
        message = NewMessage.model_validate(call)
        own = message.text.split()[0] if isinstance(call["content"], str) else _word_of(call["content"])
        image = bool(message.images)
        expires_at = message.expiry(now)
        text = None if image else message.text
        said = Said(
            id=call.get("id"),
            word=own,
            text=text,
            thread=thread,
            role=message.role,
            name=message.name,
            created_at=created_at,
            arrived_at=now,
            expires_at=expires_at,
            metadata=dict(message.metadata or {}),
            fields=call,
            dated_by_clock="created_at" not in call,
        )
        if expires_at is not None and expires_at < now:
            call.pop("expires_after")
            said.expires_at = None
        return said, call

    def _add(self, bank: str, new: list[Said], outcome: Outcome) -> None:
        """Adds the messages of a call to the model."""
        if outcome.error is not None and not outcome.fault:
            self.verify(bank)
            return
        model = self.banks.get(bank)
        if model is None:
            model = self.banks[bank] = BankModel(Policy(), doubtful=not outcome.done)
        for said in new:
            said.policies.append(model.policy)
            said.latest = self.clock.now
            if outcome.moved is not None:
                said.window = outcome.moved
                said.doubtful = said.expires_at is not None
        if outcome.done:
            for said, key in zip(new, outcome.result.ids, strict=True):
                if key not in model.said:
                    said.id = key
                    model.said[key] = said
                else:
                    check(said.id == key, f"the id {key} was given out again")
        else:
            model.unknown.append(new)
        self.verify(bank)

    def _again(self, bank: str, id: str) -> Any:
        model = self.banks.get(bank)
        said = None if model is None else model.said.get(id)
        if said is None:
            return self._skip()
        fields = {**said.fields, "created_at": said.created_at}

        def settle(outcome: Outcome) -> None:
            now = self._latest(outcome)
            future = said.created_at > self.clock.now or (said.expires_at or now) <= now
            self._permit(outcome, *([InvalidTime, Conflict] if future else []))
            if outcome.done and not said.doubtful and (said.expires_at is None or outcome.calm):
                check(outcome.result.duplicates == 1, f"message {id} was stored twice")
            if outcome.done and outcome.result.stored:
                self._refresh(said)
            self.verify(bank)

        return (lambda: self.caller.store(bank, [fields], thread=said.thread)), settle

    def _refresh(self, said: Said) -> None:
        said.last = None

    def _conflict(self, bank: str, id: str) -> Any:
        model = self.banks.get(bank)
        said = None if model is None else model.said.get(id)
        if said is None or said.expires_at is not None:
            return self._skip()

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, Conflict)
            check(not outcome.done, f"other words were accepted under the id {id}")
            self.verify(bank)

        return (lambda: self.caller.store(bank, [{"role": "user", "content": "others", "id": id}])), settle

    def _skip(self) -> Any:
        return (lambda: None), (lambda outcome: None)

    # time

    def _advance(self, seconds: float) -> Any:
        def move() -> None:
            self.clock.move(seconds)
            self.bank_s += abs(seconds) * len(self.banks)
            self._tick_clock()

        return move, lambda outcome: None

    def _tick(self) -> Any:
        now = self.clock.now

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            at = now if outcome.moved is None else outcome.moved[0]
            latest = now if outcome.moved is None else outcome.moved[1]
            expiring = [
                (name, said)
                for name, model in self.banks.items()
                for said in model.said.values()
                if said.expires_at is not None and said.expires_at <= latest
            ]
            whole = outcome.done and not outcome.fault
            leased = self._leased() if whole and outcome.calm else set()
            for name, said in expiring:
                if whole and outcome.calm and not leased:
                    self.gone[id(said)] = self.banks[name].said.pop(said.id or "")
                else:
                    said.doubtful = True
            if outcome.done and not outcome.fault:
                report = outcome.result
                check(not report.failed_banks, f"tick failed: {report.failed_banks}")
                check(not report.unreadable, f"tick left pages: {report.unreadable}")
            self.verify_all()
            if whole and outcome.calm:
                self._check_tiers(at, leased)
                if expiring and not leased:
                    self.check_gone()

        return (lambda: self.memory.tick()), settle

    def _leased(self) -> set[str]:
        """Returns the pages that may still be leased by a process that was killed, all of them if a job may be. Raises
        `Finding` for a job that a tick should have taken."""
        now = self.clock.now
        with closing(sqlite3.connect(self.path)) as file:
            jobs = file.execute("SELECT bank_id, kind, lease_until FROM jobs").fetchall()
            pages = file.execute('SELECT "key", lease_until FROM pages WHERE lease_owner IS NOT NULL').fetchall()
            names = {key for (key,) in file.execute('SELECT "key" FROM pages')}
        busy = {bank for bank, _, until in jobs if _is_leased(until, now)}  # banks whose other jobs wait
        for bank, kind, until in jobs:
            check(bank in busy, f"a tick at {now} left the job {kind}, whose lease ends at {until}")
        return names if jobs else {key for key, until in pages if _is_leased(until, now)}

    def _check_tiers(self, now: datetime, leased: set[str]) -> None:
        """Checks that pages are at the tier that their policy sets, or lower."""
        for name, model in self.banks.items():
            try:
                pages = self.memory.pages(name, limit=500).pages
            except NotFound:
                continue
            arrivals: dict[str, datetime] = {}
            for message in self.exported(name):
                for page in message.page_ids:
                    arrivals[page] = max(arrivals.get(page, message.arrived_at), message.arrived_at)
            for page in pages:
                if page.pinned or page.id not in arrivals or page.id in leased:
                    continue
                age = now - age_start(model.policy, page.last_at, arrivals[page.id])
                tier = tier_of_age(model.policy, age)
                due = TIERS.index(page.tier) >= TIERS.index(tier)
                check(due, f"page {page.id} is at {page.tier} after a tick, its age {age} calls for {tier}")

    # what changes pages

    def _of_bank(self, bank: str, call: Callable[[], Any], *errors: type[FoxingError], sharpens: bool = False) -> Any:
        """Returns a call that changes no words, and its settlement."""

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, *errors, *self._absent(bank))
            model = self.banks.get(bank)
            if sharpens and model is not None:
                for said in model.said.values():
                    said.last = None
            self.verify(bank)

        return call, settle

    def _seal(self, bank: str) -> Any:
        return self._of_bank(bank, lambda: self.caller.seal(bank))

    def _age(self, bank: str) -> Any:
        return self._of_bank(bank, lambda: self.caller.age(bank))

    def _pin(self, bank: str, number: int, pinned: bool) -> Any:
        def call() -> None:
            pages = self.caller.pages(bank, limit=500).pages
            if pages:
                page = pages[number % len(pages)]
                info = self.caller.pin(bank, page.id, pinned=pinned)
                check(info.pinned == pinned, "a page was pinned, and is not")

        return self._of_bank(bank, call)

    def _undo(self, bank: str, number: int | None) -> Any:
        def call() -> None:
            page = None
            if number is not None:
                pages = self.caller.pages(bank, limit=500).pages
                page = pages[number % len(pages)].id if pages else None
            report = self.caller.undo(bank, page=page)
            check(not report.unreadable, f"undo left {report.unreadable}")

        return self._of_bank(bank, call, Forgotten, sharpens=True)

    def _policy(self, bank: str, policy: Mapping[str, Any]) -> Any:
        parsed = Policy.parse(policy)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            model = self.banks.get(bank)
            if model is None:
                model = self.banks[bank] = BankModel(parsed, doubtful=not outcome.done)
            if outcome.done:
                check(self.memory.policy(bank) == parsed, "the policy of a bank is not that which was set")
                model.policy = parsed
                model.history.append(parsed)
            else:
                with suppress(NotFound):
                    model.policy = self.memory.policy(bank)
                    model.history.append(model.policy)
            for said in model.said.values():
                said.policies.append(model.policy)
            self.verify(bank)

        return (lambda: self.caller.set_policy(bank, parsed)), settle

    def _reindex(self, bank: str, words: bool) -> Any:
        from foxing.memory import EmbedderError

        return self._of_bank(bank, lambda: self.memory.operations.reindex(bank, words=words), EmbedderError)

    def _reencode(self, bank: str) -> Any:
        return self._of_bank(bank, lambda: self.caller.operations.reencode(bank))

    # recall

    def _recall(self, bank: str, query: str, limit: int, track: bool) -> Any:
        def call() -> Any:
            if self._client is not None:
                return self._client.recall(bank, query, limit=limit)
            return self.memory.recall(bank, query, limit=limit, track=track)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if not outcome.done or not outcome.calm:
                return
            messages = {message.message_id: message for message in self.exported(bank)}
            for span in outcome.result.spans:
                message = messages.get(span.message_id)
                check(message is not None, f"recall gives {span.message_id}, which is not in the bank")
                if message is not None and span.passage is None and not span.left_out:
                    check(span.text == message.text, f"recall reads {span.message_id} otherwise than its export")
            again = self.memory.recall(bank, query, limit=limit, track=False)
            twice = self.memory.recall(bank, query, limit=limit, track=False)
            check(_answer(again) == _answer(twice), f"recall of {query!r} gives two answers")
            if query.startswith("x") and query.isalpha() and limit > 1:
                model = self.banks.get(bank)
                exact = [m for m in messages.values() if m.source != "decoded" and query in m.text.split()]
                ids = {span.message_id for span in again.spans}
                for message in exact[:limit] if model is not None and len(exact) <= limit else []:
                    check(message.message_id in ids, f"{message.message_id} is not found by its word {query}")

        return call, settle

    def _window(self, bank: str, until_days: int, since_days: int) -> Any:
        now = self.clock.now
        since = now - timedelta(days=since_days)
        until = now - timedelta(days=until_days)

        def call() -> list[str]:
            return [span.message_id for span in self.caller.recall(bank, since=since, until=until, limit=500).spans]

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if not outcome.done or not outcome.calm:
                return
            expected = [m.message_id for m in self.exported(bank) if since <= m.created_at < until][:500]
            check(outcome.result == expected, f"the window {since} to {until} has {outcome.result}, not {expected}")

        return call, settle

    def _context(self, bank: str, reader: str, budget: int, query: str) -> Any:
        def settle(outcome: Outcome) -> None:
            self._permit(outcome, InvalidInput)

        return (lambda: self.caller.context(bank, reader=reader, budget=budget, query=query)), settle

    # pages and images

    def _view(self, bank: str, number: int, tier: str | None) -> Any:
        """Looks at a page: its image, its reading, and what it would be at a lower tier."""

        def call() -> None:
            pages = self.caller.pages(bank, limit=500).pages
            if not pages:
                return
            page = pages[number % len(pages)]
            check(self.caller.page_image(bank, page.id, tier).startswith(PNG), "an image of a page is no PNG")
            reading = self.caller.read_page(bank, page.id, tier)
            check(0 <= reading.kept <= 1, f"page {page.id}: kept {reading.kept}")
            said = {} if bank not in self.banks else self.banks[bank].said
            for message in reading.messages:
                known = message.message_id in said or bool(self.banks[bank].unknown)
                check(known, f"page {page.id} shows {message.message_id}, which nobody has stored")
            if page.tier != "micro":
                self.caller.preview_page(bank, page.id, "micro")

        return self._of_bank(bank, call, Forgotten, InvalidInput)

    def _images(self, bank: str, query: str, reader: str) -> Any:
        def settle(outcome: Outcome) -> None:
            self._permit(outcome, InvalidInput, *self._absent(bank))
            if not outcome.done or not outcome.calm:
                return
            messages = {message.message_id: message for message in self.exported(bank)}
            for span in (*outcome.result.open_spans, *outcome.result.whole_spans):
                message = messages.get(span.message_id)
                check(message is not None, f"images show {span.message_id}, which is not in the bank")
                if message is not None and span.passage is None and not span.left_out:
                    check(span.text == message.text, f"images show {span.message_id} otherwise than its export")

        return (lambda: self.caller.recall_images(bank, query, reader=reader)), settle

    # sessions

    def _fold(self, session: str, turns: list[Mapping[str, Any]], reader: str, budget: int, cache: str) -> Any:
        state = self.sessions.setdefault(session, Session())
        state.add(turns)
        request = state.request(session, reader, budget, cache)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, InvalidInput)  # what must stay exceeds the budget
            try:
                result = outcome.result if outcome.done else self.memory.fold(SESSION_BANK, request)
            except InvalidInput:
                return
            state.check(result, request)
            again = self.memory.fold(SESSION_BANK, request)
            if again.fold == result.fold:
                check(prefix(again) == prefix(result), f"fold {again.fold} of {session} is another when repeated")
            state.check(again, request)
            with suppress(NotFound):
                state.check_stored(session, list(self.memory.export(SESSION_BANK)), again)

        return (lambda: self.caller.fold(SESSION_BANK, request)), settle

    # processes

    def _fork(self) -> Any:
        """Forks, as programs do that have opened a memory; the new process must not be able to use it."""

        def call() -> int:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on: this process has threads
                child = os.fork()
            if child == 0:
                code = 3
                try:
                    signal.alarm(FORK_S)
                    code = self._use_in_child()
                finally:
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            return os.waitstatus_to_exitcode(status)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            self._exports.clear()
            self.verify_all()
            meanings = {1: "stores in the memory of its parent", 2: "stores in the file that its parent has open"}
            code = outcome.result
            check(code == 0, f"a forked process {meanings.get(code, f'ends with {code}')}")

        return call, settle

    def _use_in_child(self) -> int:
        """Returns 0 if a forked process can store neither by the memory that it has inherited nor by another one."""
        messages = [{"role": "user", "content": "from a forked process"}]
        with suppress(StorageError):
            self.memory.store("forked", messages)
            return 1
        with suppress(StorageError):
            self._opened().store("forked", messages)
            return 2
        return 0

    # erasure

    def _absent(self, bank: str) -> list[type[FoxingError]]:
        """Returns the error of a bank that may not exist."""
        return [] if bank in self.banks and not self.banks[bank].doubtful else [NotFound]

    def _latest(self, outcome: Outcome) -> datetime:
        return self.clock.now if outcome.moved is None else outcome.moved[1]

    def _forget(self, bank: str, messages: list[Said], outcome: Outcome) -> None:
        """Settles an erasure in a bank, and looks for what is left."""
        model = self.banks.get(bank)
        if model is not None:
            for said in messages:
                if outcome.done and not said.doubtful:
                    model.said.pop(said.id or "", None)
                    self.gone[id(said)] = said
                elif outcome.error is None or outcome.fault:
                    said.doubtful = True
        self.verify(bank)

    def _look_for_gone(self, outcome: Outcome) -> None:
        if outcome.done and not outcome.fault and getattr(outcome.result, "log_erased", False):
            self.check_gone()

    def _erase_message(self, bank: str, number: int) -> Any:
        model = self.banks.get(bank)
        if model is None or not model.said:
            return self._skip()
        said = list(model.said.values())[number % len(model.said)]

        def settle(outcome: Outcome) -> None:
            expired = said.expires_at is not None and said.expires_at <= self._latest(outcome)
            self._permit(outcome, *([NotFound] if expired or said.doubtful else []))
            self._forget(bank, [said], outcome)
            self._look_for_gone(outcome)

        return (lambda: self.caller.erase_message(bank, said.id or "")), settle

    def _erase_thread(self, bank: str, thread: str) -> Any:
        model = self.banks.get(bank)
        messages = [] if model is None else [said for said in model.said.values() if said.thread == thread]

        def settle(outcome: Outcome) -> None:
            certain = any(not said.doubtful and said.expires_at is None for said in messages)
            self._permit(outcome, *([] if certain else [NotFound]))
            self._forget(bank, messages, outcome)
            self._look_for_gone(outcome)

        return (lambda: self.caller.erase_thread(bank, thread)), settle

    def _erase_person(self, person: str) -> Any:
        of_banks = {
            bank: [said for said in model.said.values() if (said.name or "").casefold() == person.casefold()]
            for bank, model in self.banks.items()
        }

        def call() -> Any:
            return self.caller.operations.persons.erase(person, dry_run=False)

        def settle(outcome: Outcome) -> None:
            certain = any(not s.doubtful and s.expires_at is None for part in of_banks.values() for s in part)
            self._permit(outcome, *([] if certain else [NotFound]))
            if outcome.done and not outcome.fault:
                check(outcome.result.remaining == 0, f"messages of {person} remain: {outcome.result}")
            whole = outcome.done and outcome.result.remaining == 0
            for bank, messages in of_banks.items():
                self._forget(bank, messages, outcome if whole or not outcome.done else Outcome(killed=True, fault=True))
            self._look_for_gone(outcome)

        return call, settle

    def _erase_bank(self, bank: str) -> Any:
        model = self.banks.get(bank)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, *([] if model is not None and not model.doubtful else [NotFound]))
            if model is None:
                return
            if outcome.done:
                for said in self._possible(model):
                    self.gone[id(said)] = said
                del self.banks[bank]
            elif outcome.fault:
                self._settle_bank(bank, model)
            self.verify(bank)
            self._look_for_gone(outcome)

        return (lambda: self.caller.erase_bank(bank)), settle

    def _settle_bank(self, bank: str, model: BankModel) -> None:
        """Settles an interrupted erasure: the bank is there as a whole, or not at all."""
        try:
            self.memory.bank(bank)
        except NotFound:
            for said in self._possible(model):
                self.gone[id(said)] = said
            del self.banks[bank]

    # files

    def _move(self, bank: str, target: str, backdate: bool) -> Any:
        """Exports a bank to JSON Lines and imports it into another."""
        source = self.banks.get(bank)
        if source is None or not source.said:
            return self._skip()
        now = self.clock.now
        messages = self.exported(bank)
        path = self.folder / "export.jsonl"
        lines = [_line(message) for message in messages]
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        model = self.banks.get(target)
        known = {} if model is None else model.said

        def settle(outcome: Outcome) -> None:
            future = any(message.created_at > now or message.arrived_at > now for message in messages)
            overlap = any(message.message_id in known for message in messages)
            errors = [*([InvalidTime] if future else []), *([Conflict] if overlap else [])]
            self._permit(outcome, *errors)
            if outcome.error is not None and not outcome.fault:
                self.verify(target)
                return
            own = self.banks.get(target)
            if own is None:
                own = self.banks[target] = BankModel(Policy(), doubtful=not outcome.done)
            for message in messages:
                origin = source.said[message.message_id]
                if message.message_id in own.said or (message.expires_at and message.expires_at <= now):
                    continue
                arrived = message.created_at if backdate else message.arrived_at
                said = Said(
                    id=message.message_id,
                    word=origin.word if origin.word in message.text else "",
                    text=None if message.parts else message.text,
                    thread=message.thread,
                    role=message.role,
                    name=message.name,
                    created_at=message.created_at,
                    arrived_at=arrived,
                    expires_at=message.expires_at,
                    metadata=message.metadata,
                    fields=_line(message),
                    policies=[own.policy],
                    latest=now,
                )
                if outcome.done:
                    own.said[message.message_id] = said
                else:
                    own.unknown.append([said])
            self.verify(target)

        options = ImportOptions(backdate=backdate)
        return (lambda: import_file(self.memory, path, bank=target, options=options)), settle

    def _backup(self, number: int) -> Any:
        path = self.folder / f"backup{number}.db"

        def call() -> None:
            with Maintenance(self.path) as maintenance:
                maintenance.back_up(path)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if outcome.done and path.exists():
                self.verify_all()
                self.backups[number] = (path, deepcopy(self.banks))
                self.check_gone(path)
            else:
                check(not path.exists(), "an interrupted backup left a file")

        return call, settle

    def _restore(self, number: int) -> Any:
        if number not in self.backups:
            return self._skip()
        path, banks = self.backups[number]

        def call() -> None:
            self._switch_now()
            self._drop()
            self._switch_now()
            self._drop()
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            with Maintenance(self.path) as maintenance:
                maintenance.restore(path)
            self._open()

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if not outcome.done:  # the file is there as a whole, or not at all
                call()
            self.banks = deepcopy(banks)
            self.gone.clear()
            for session in self.sessions.values():
                session.last = None
            self._tick_clock()
            for model in self.banks.values():
                for said in model.said.values():
                    said.doubtful = said.doubtful or said.expires_at is not None
            self.verify_all()

        return call, settle

    def _check(self) -> Any:
        def call() -> Any:
            with Maintenance(self.path) as maintenance:
                return maintenance.check(self.codec, "cpu", None, self.options, everything=True)

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            if outcome.done and not outcome.fault:
                problems = [(part.name, part.examples) for part in outcome.result.parts if part.problems]
                if any(policy.index == "faded" for model in self.banks.values() for policy in model.history):
                    # a change of the policy applies to pages as they age, and until then the check reports their words
                    problems = [problem for problem in problems if problem[0] != "terms"]
                check(not problems, f"the check finds {problems}")

        return call, settle

    def _reopen(self) -> Any:
        before = {bank: self._state(bank) for bank in self.banks}

        def call() -> None:
            self.memory.close()
            self._open()

        def settle(outcome: Outcome) -> None:
            self._permit(outcome)
            for bank, state in before.items():
                after = self._state(bank)
                check(state == after, f"bank {bank} is another after it was opened again: {_difference(state, after)}")

        return call, settle

    def _state(self, bank: str) -> list[Any]:
        return [message.model_dump() for message in self.exported(bank)]

    def rows(self) -> str:
        """Returns a digest of all rows, vectors apart."""
        digest = hashlib.sha256()
        copy = self.folder / "rows.db"
        shutil.copy(self.path, copy)
        with closing(sqlite3.connect(self.path)) as file:
            tables = [
                name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")
            ]
            for table in tables:
                if "embedding" in table or "vector" in table or "fts" in table:
                    continue
                rows = sorted(map(repr, file.execute(f'SELECT * FROM "{table}"')))
                digest.update(f"{table} {rows}".encode())
        return digest.hexdigest()


def _is_leased(until: str | None, now: datetime) -> bool:
    """True if a lease has not ended, and was not set by a clock that was ahead."""
    return until is not None and now < datetime.fromisoformat(until).replace(tzinfo=UTC) <= now + MAX_CLOCK_SKEW


def _word_of(parts: list[Mapping[str, Any]]) -> str:
    first = parts[0]
    return str(first.get("text") or first.get("content")).split()[0]


def _answer(result: Any) -> list[Any]:
    return [(span.message_id, span.text, span.score) for span in result.spans]


def _line(message: RecalledMessage) -> dict[str, Any]:
    """Returns a message as a line of an export has it."""
    fields = message.model_dump(mode="json", exclude={"text", "parts", "message_id"})
    return {**fields, "id": message.message_id, "content": _content(message)}


def _content(message: RecalledMessage) -> Any:
    if message.parts is None:
        return message.text
    return [part.model_dump(mode="json", exclude_none=True) for part in message.parts]


def _difference(before: list[Any], after: list[Any]) -> str:
    for one, other in zip(before, after, strict=False):
        if one != other:
            return short(str({key: (one[key], other[key]) for key in one if one[key] != other[key]}), 0)
    return f"{len(before)} messages, then {len(after)}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Logs nothing: a process that ends has tasks whose errors nobody reads."""
    loggers = [logging.getLogger(name) for name in ("foxing", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
