"""`BaseSessionService` over the records of a bank."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Self, cast

from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.events.event import Event
from google.adk.sessions.base_session_service import BaseSessionService, GetSessionConfig, ListSessionsResponse
from google.adk.sessions.session import Session
from google.adk.sessions.state import State
from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, to_jsonable_python

from foxing.integrations.client import Connection, Target, connect
from foxing.integrations.frameworks.call_sequences import CallSequence, run_async
from foxing.integrations.frameworks.closing import AsyncClosing
from foxing.integrations.frameworks.exact_json import exact_json
from foxing.integrations.frameworks.records import Address, BankRecords
from foxing.memory import Conflict, Fields, InvalidInput, Record, RecordChanges, RecordSearchFields
from foxing.renderer import utc_now

from .entries import digest

NAMESPACE = "google_adk"
_ATTEMPTS = 20

#: Labels of the records of a kind.
Labels = tuple[str, ...]


class FoxingSessionService(AsyncClosing, BaseSessionService):
    """A session service that stores sessions, their events and their state exactly, as records of a bank.

        sessions = FoxingSessionService.connect("http://127.0.0.1:8765", bank="agent-7")
        runner = Runner(app_name="guide", agent=agent, session_service=sessions)

    An event and the state that it changes are stored together or not at all. Methods raise `FoxingError`; repeating
    `append_event` after an error stores nothing twice.
    """

    def __init__(self, connection: Connection) -> None:
        #: Connection to the bank, for other calls.
        self.connection = connection
        self._records = BankRecords(connection.bank)

    @classmethod
    def connect(cls, target: Target, bank: str, *, api_key: str | None = None) -> Self:
        """Returns a service for a bank of `target`: the URL of a service, the URL or path of a database, or a `Memory`.
        Nothing is opened before the first call. Raises `InvalidInput` for an invalid target or bank."""
        return cls(connect(target, bank, api_key=api_key))

    async def create_session(
        self,
        *,
        app_name: str,
        user_id: str,
        state: Mapping[str, object] | None = None,
        session_id: str | None = None,
    ) -> Session:
        """Creates a session. Raises ADK's `AlreadyExistsError` if it exists, and `InvalidInput` for a state that is not
        JSON."""
        key = (session_id or "").strip() or uuid.uuid4().hex
        place = _Place(app_name, user_id, key)
        made_at = utc_now().timestamp()
        writes = [{**place.session, "op": "put", "value": {"last_update_time": made_at}, "text": "", "if_version": 0}]
        writes += place.state_writes(state or {})
        try:
            await run_async(self.connection, self._write(writes))
        except Conflict as error:
            raise AlreadyExistsError(f"Session with id {key} already exists.") from error
        session = await self.get_session(app_name=app_name, user_id=user_id, session_id=key)
        if session is None:
            raise SessionNotFoundError(f"Session {key} was deleted while it was created.")
        return session

    async def get_session(
        self, *, app_name: str, user_id: str, session_id: str, config: GetSessionConfig | None = None
    ) -> Session | None:
        """Returns a session with its state and its events, or the last ones that `config` asks for; None if it does not
        exist."""
        place = _Place(app_name, user_id, session_id.strip())
        return await run_async(self.connection, self._session(place, config or GetSessionConfig()))

    async def list_sessions(self, *, app_name: str, user_id: str | None = None) -> ListSessionsResponse:
        """Returns the sessions of a user, or of all users, with their state and without their events, the last one
        changed last."""
        return ListSessionsResponse(sessions=await run_async(self.connection, self._list(app_name, user_id)))

    async def delete_session(self, *, app_name: str, user_id: str, session_id: str) -> None:
        """Deletes a session with its events and its state; that of the user and the app stay."""
        place = _Place(app_name, user_id, session_id.strip())
        await run_async(self.connection, self._delete(place))

    async def get_user_state(self, *, app_name: str, user_id: str) -> dict[str, JsonValue]:
        """Returns the state of a user, whose keys have no prefix."""
        namespace = _Place(app_name, user_id, "").user
        return await run_async(self.connection, self._state(namespace, ""))

    async def append_event(self, session: Session, event: Event) -> Event:
        """Appends an event to a session, and changes the state by its delta; keys that begin with `temp:` are not
        stored. An event that is stored already is not stored again. Raises ADK's `SessionNotFoundError`, its
        `StaleSessionError` if another has changed the session, and `InvalidInput` for an event that is not JSON or
        larger than 1 MiB."""
        if event.partial:
            return event
        await run_async(self.connection, self._append(session, event))
        event = await super().append_event(session=session, event=event)
        session.last_update_time = event.timestamp
        return event

    def _append(self, session: Session, event: Event) -> CallSequence[None]:
        place = _Place(session.app_name, session.user_id, session.id)
        delta = {key: value for key, value in event.actions.state_delta.items() if not _is_temporary(key)}
        stored = event.model_copy(update={"actions": event.actions.model_copy(update={"state_delta": delta})})
        value = _json(stored.model_dump(mode="json", exclude_none=True, by_alias=False), "the event")
        own: Fields = {"namespace": place.events, "key": f"{event.id}-{digest(value)[:8]}"}
        for _ in range(_ATTEMPTS):
            records = yield from self._records.get([_address(place.session), _address(own)])
            if records[1] is not None:
                return
            if records[0] is None:
                raise SessionNotFoundError(f"Session {session.id} not found.")
            if _last_update(records[0]) > session.last_update_time:
                raise StaleSessionError("the session was changed since it was read; get it again")
            update = {"op": "put", "value": {"last_update_time": event.timestamp}, "text": ""}
            writes: list[Fields] = [
                {**place.session, **update, "if_version": records[0].version},
                {**own, "op": "put", "value": value, "text": "", "if_version": 0},
                *place.state_writes(delta),
            ]
            try:
                yield from self._write(writes)
                return
            except Conflict:  # another call was faster: look again
                continue
        raise StaleSessionError("the session is changed all the time; get it again")

    def _session(self, place: "_Place", config: GetSessionConfig) -> CallSequence[Session | None]:
        (record,) = yield from self._records.get([_address(place.session)])
        if record is None:
            return None
        state = yield from self._merged_state(place)
        events = yield from self._events(place, config)
        return place.made(record, state, events)

    def _events(self, place: "_Place", config: GetSessionConfig) -> CallSequence[list[Event]]:
        search: RecordSearchFields = {"namespace": place.events, "exact": True}
        if config.after_timestamp is not None:
            search["filter"] = [{"member": "timestamp", "op": "gte", "value": config.after_timestamp}]
        if config.num_recent_events is None:
            records = yield from self._records.search(search)
        else:
            records = (yield from self._records.search({**search, "order": "newest"}, config.num_recent_events))[::-1]
        return [_event(record) for record in records]

    def _list(self, app_name: str, user_id: str | None) -> CallSequence[list[Session]]:
        namespace = (app_name,) if user_id is None else (app_name, user_id)
        records = yield from self._records.search({"namespace": (NAMESPACE, "sessions", *namespace)})
        app_state = yield from self._state((NAMESPACE, "app", app_name), State.APP_PREFIX)
        states: dict[Labels, dict[str, JsonValue]] = {}
        for kind in ("user", "state"):
            for record in (yield from self._records.search({"namespace": (NAMESPACE, kind, *namespace)})):
                prefix = State.USER_PREFIX if kind == "user" else ""
                states.setdefault(tuple(record.namespace), {})[prefix + record.key] = record.value
        sessions = []
        for record in records:
            place = _Place(app_name, record.namespace[3], record.key)
            state = {**states.get(place.state, {}), **app_state, **states.get(place.user, {})}
            sessions.append(place.made(record, state, []))
        return sorted(sessions, key=lambda session: (session.last_update_time, session.user_id, session.id))

    def _delete(self, place: "_Place") -> CallSequence[None]:
        yield from self._write(
            [
                {**place.session, "op": "delete"},
                {"op": "clear", "namespace": place.events},
                {"op": "clear", "namespace": place.state},
            ]
        )

    def _merged_state(self, place: "_Place") -> CallSequence[dict[str, JsonValue]]:
        state = yield from self._state(place.state, "")
        app = yield from self._state(place.app, State.APP_PREFIX)
        user = yield from self._state(place.user, State.USER_PREFIX)
        return {**state, **app, **user}

    def _state(self, namespace: Labels, prefix: str) -> CallSequence[dict[str, JsonValue]]:
        records = yield from self._records.search({"namespace": namespace, "exact": True})
        return {prefix + record.key: record.value for record in records}

    def _write(self, writes: Sequence[Fields]) -> CallSequence[RecordChanges]:
        return self._records.write(writes, uuid.uuid4().hex)


class _Place:
    """Addresses of the records of a session."""

    def __init__(self, app_name: str, user_id: str, session_id: str) -> None:
        self._ids = app_name, user_id, session_id
        self.session: Fields = {"namespace": (NAMESPACE, "sessions", app_name, user_id), "key": session_id}
        self.events: Labels = (NAMESPACE, "events", app_name, user_id, session_id)
        self.state: Labels = (NAMESPACE, "state", app_name, user_id, session_id)
        self.user: Labels = (NAMESPACE, "user", app_name, user_id)
        self.app: Labels = (NAMESPACE, "app", app_name)

    def state_writes(self, delta: Mapping[str, object]) -> list[Fields]:
        """Returns the writes that change the state of the session, its user and its app."""
        writes: list[Fields] = []
        for key, value in delta.items():
            if _is_temporary(key):
                continue
            namespace = self.state
            name = key
            if key.startswith(State.APP_PREFIX):
                namespace = self.app
                name = key.removeprefix(State.APP_PREFIX)
            elif key.startswith(State.USER_PREFIX):
                namespace = self.user
                name = key.removeprefix(State.USER_PREFIX)
            stored = _json(value, f"the state {key!r}")
            writes.append({"op": "put", "namespace": namespace, "key": name, "value": stored, "text": ""})
        return writes

    def made(self, record: Record, state: dict[str, JsonValue], events: list[Event]) -> Session:
        """Returns the session."""
        app_name, user_id, session_id = self._ids
        return Session(
            id=session_id,
            app_name=app_name,
            user_id=user_id,
            state=state,
            events=events,
            last_update_time=_last_update(record),
        )


def _address(fields: Fields) -> Address:
    return cast(Address, (fields["namespace"], fields["key"]))


def _event(record: Record) -> Event:
    """Returns the event of a record. Raises `InvalidInput` if it holds none: any client of the bank can write one."""
    try:
        return Event.model_validate(record.value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"the record '{record.key}' is not an event of ADK; delete the session: {error}") from error


def _last_update(record: Record) -> float:
    value = record.value
    moment = value.get("last_update_time") if isinstance(value, dict) else None
    return float(moment) if isinstance(moment, int | float) else 0.0


def _is_temporary(key: str) -> bool:
    return key.startswith(State.TEMP_PREFIX)


def _json(value: object, what: str) -> JsonValue:
    """Returns a value in JSON types. Raises `InvalidInput` if it has none."""
    try:
        return exact_json(to_jsonable_python(value), what)
    except (PydanticSerializationError, ValueError) as error:
        raise InvalidInput(f"{what} is not JSON: {error}") from error
