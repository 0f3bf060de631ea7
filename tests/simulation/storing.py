"""Steps that store messages."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from foxing.memory import Conflict, InvalidTime, NewMessage, Policy, RecalledMessage
from foxing.memory.ingest.importers import ImportOptions, import_file

from .checks import Checks
from .model import BankModel, Original, check
from .outcome import Outcome


class Storing(Checks):
    """Storing, also twice, under an id in use, and from a file."""

    def _store(self, bank: str, thread: str, messages: list[Mapping[str, Any]]) -> Any:
        now = self.clock.now
        new = [self._new(fields, thread, now) for fields in messages]
        model = self.banks.get(bank)

        def settle(outcome: Outcome) -> None:
            ids = set() if model is None else model.originals.keys()
            self._permit(outcome, *([Conflict] if any(original.id in ids for original, _ in new) else []))
            self._add(bank, [original for original, _ in new], outcome)

        return (lambda: self.caller.store(bank, [fields for _, fields in new], thread=thread)), settle

    def _new(self, fields: Mapping[str, Any], thread: str, now: datetime) -> tuple[Original, dict[str, Any]]:
        call = dict(fields)
        created_at = now
        if "age_s" in call:
            created_at = call["created_at"] = now - timedelta(seconds=call.pop("age_s"))
        message = NewMessage.model_validate(call)
        own = message.text.split()[0] if isinstance(call["content"], str) else _word_of(call["content"])
        image = bool(message.images)
        expires_at = message.expiry(now)
        text = None if image else message.text
        original = Original(
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
            original.expires_at = None
        return original, call

    def _add(self, bank: str, new: list[Original], outcome: Outcome) -> None:
        """Adds the messages of a call to the model."""
        if outcome.error is not None and not outcome.fault:
            self.verify(bank)
            return
        model = self.banks.get(bank)
        if model is None:
            model = self.banks[bank] = BankModel(Policy(), doubtful=not outcome.done)
        for original in new:
            original.policies.append(model.policy)
            original.latest = self.clock.now
            if outcome.clock_times is not None:
                original.window = outcome.clock_times
                original.doubtful = original.expires_at is not None
        if outcome.done:
            for original, key in zip(new, outcome.result.ids, strict=True):
                if key not in model.originals:
                    original.id = key
                    model.originals[key] = original
                else:
                    check(original.id == key, f"the id {key} was given out again")
        else:
            model.candidates.append(new)
        self.verify(bank)

    def _again(self, bank: str, id: str) -> Any:
        model = self.banks.get(bank)
        original = None if model is None else model.originals.get(id)
        if original is None:
            return self._skip()
        fields = {**original.fields, "created_at": original.created_at}

        def settle(outcome: Outcome) -> None:
            now = self._latest(outcome)
            future = original.created_at > self.clock.now or (original.expires_at or now) <= now
            self._permit(outcome, *([InvalidTime, Conflict] if future else []))
            if outcome.done and not original.doubtful and (original.expires_at is None or outcome.calm):
                check(outcome.result.duplicates == 1, f"message {id} was stored twice")
            if outcome.done and outcome.result.stored:
                self._refresh(original)
            self.verify(bank)

        return (lambda: self.caller.store(bank, [fields], thread=original.thread)), settle

    def _refresh(self, original: Original) -> None:
        original.last = None

    def _conflict(self, bank: str, id: str) -> Any:
        model = self.banks.get(bank)
        original = None if model is None else model.originals.get(id)
        if original is None or original.expires_at is not None:
            return self._skip()

        def settle(outcome: Outcome) -> None:
            self._permit(outcome, Conflict)
            check(not outcome.done, f"other words were accepted under the id {id}")
            self.verify(bank)

        return (lambda: self.caller.store(bank, [{"role": "user", "content": "others", "id": id}])), settle

    def _move(self, bank: str, target: str, backdate: bool) -> Any:
        """Exports a bank to JSON Lines and imports it into another."""
        source = self.banks.get(bank)
        if source is None or not source.originals:
            return self._skip()
        now = self.clock.now
        messages = self.exported(bank)
        path = self.folder / "export.jsonl"
        lines = [_line(message) for message in messages]
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        model = self.banks.get(target)
        residents = {} if model is None else model.originals

        def settle(outcome: Outcome) -> None:
            future = any(message.created_at > now or message.arrived_at > now for message in messages)
            overlap = any(message.message_id in residents for message in messages)
            errors = [*([InvalidTime] if future else []), *([Conflict] if overlap else [])]
            self._permit(outcome, *errors)
            if outcome.error is not None and not outcome.fault:
                self.verify(target)
                return
            own = self.banks.get(target)
            if own is None:
                own = self.banks[target] = BankModel(Policy(), doubtful=not outcome.done)
            for message in messages:
                origin = source.originals[message.message_id]
                if message.message_id in own.originals or (message.expires_at and message.expires_at <= now):
                    continue
                arrived = message.created_at if backdate else message.arrived_at
                original = Original(
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
                    own.originals[message.message_id] = original
                else:
                    own.candidates.append([original])
            self.verify(target)

        options = ImportOptions(backdate=backdate)
        return (lambda: import_file(self.memory, path, bank=target, options=options)), settle


def _word_of(parts: list[Mapping[str, Any]]) -> str:
    first = parts[0]
    return str(first.get("text") or first.get("content")).split()[0]


def _line(message: RecalledMessage) -> dict[str, Any]:
    """Returns a message as a line of an export has it."""
    fields = message.model_dump(mode="json", exclude={"text", "parts", "message_id"})
    return {**fields, "id": message.message_id, "content": _content(message)}


def _content(message: RecalledMessage) -> Any:
    if message.parts is None:
        return message.text
    return [part.model_dump(mode="json", exclude_none=True) for part in message.parts]
