"""Shapes of the records of checkpoints, checked when they are read: any client of the bank may have written them."""

from typing import Any, cast

from pydantic import JsonValue

from foxing.memory import InvalidInput, Record

#: A stored value: its type, its first bytes or all, packed, the depth of the tree of its chunks, and the root's name.
Stored = list[Any]
#: Channel → version and stored value.
Refs = dict[str, list[Any]]
#: Members of a checkpoint, or of the value of a record.
Members = dict[str, Any]

#: Levels of the tree of a value's chunks. A tree of 2 ** 31 bytes has at most 23.
MAX_DEPTH = 32


def thread_value(record: Record) -> Members:
    """Returns the value of the record of a thread. Raises `InvalidInput` if it is none."""
    match record.value:
        case {"thread_id": str(), "key": None | str()}:
            return _members(record.value)
    raise _foreign(record)


def head_value(record: Record) -> Members:
    """Returns the value of the record of a checkpoint. Raises `InvalidInput` if it is none."""
    match record.value:
        case {"ns": str(), "parent": None | str(), "run_id": None | str(), "data": data} if _is_stored(data):
            return _members(record.value)
    raise _foreign(record)


def write_value(record: Record) -> Members:
    """Returns the value of the record of a pending write. Raises `InvalidInput` if it is none."""
    match record.value:
        case {"task": str(), "path": str(), "idx": int(), "channel": str(), "value": value} if _is_stored(value):
            return _members(record.value)
    raise _foreign(record)


def head_content(content: object, record: Record) -> Members:
    """Returns the content of a checkpoint, which was stored in `record`. Raises `InvalidInput` if it is none."""
    match content:
        case {"checkpoint": dict(), "metadata": dict(), "values": dict() as refs} if all(map(_is_ref, refs.values())):
            return cast(Members, content)
    raise _foreign(record)


def _is_ref(ref: object) -> bool:
    match ref:
        case [_, stored]:
            return _is_stored(stored)
    return False


def _is_stored(value: object) -> bool:
    match value:
        case [str(), str(), int(depth), None | str()]:
            return 0 <= depth <= MAX_DEPTH
    return False


def _members(value: JsonValue) -> Members:
    return cast(Members, value)


def _foreign(record: Record) -> InvalidInput:
    thread = record.namespace[1][1:]
    return InvalidInput(
        f"a record of the thread '{thread}' was not written by FoxingSaver; restore a backup, or delete the thread "
        "with delete_thread"
    )
