"""Steps that store messages."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from foxing.memory import Conflict, InvalidTime, NewMessage, Policy, RecalledMessage
from foxing.memory.ingest.importers import ImportOptions, import_file

from .checks import Checks
from .model import BankModel, Said, check
from .outcome import Outcome


class Storing(Checks):
    """Storing, also twice, under an id in use, and from a file."""

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
