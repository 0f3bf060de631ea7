"""Values of checkpoints as bytes, and bytes as compressed text of a record, encrypted if the serializer encrypts.

Whoever may write records of the bank may have written a checkpoint. Reading one therefore creates only values of types
that are known to be harmless or that the program allows, runs nothing, and never unpickles.
"""

import base64
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from foxing.memory import InvalidInput

#: A class, or the names of its module and of the class.
AllowedType = type | tuple[str, str]

_LEVEL = 6  # of zlib
_PLAIN = b"r"
_COMPRESSED = b"z"
#: Kinds of values that LangGraph's serializer writes. Others that it reads are pickles, and constructors in JSON.
_KINDS = ("msgpack", "null", "bytes", "bytearray")
_DAMAGED = "a value of the checkpoint is damaged; restore a backup, or delete the thread with delete_thread"


class Serialization:
    """A serializer of LangGraph. Of an `EncryptedSerializer` the parts are used: values are serialized, cut and
    compressed, and then each part is encrypted, because equal values have different ciphertexts."""

    def __init__(self, serde: SerializerProtocol) -> None:
        self._serde = serde.serde if isinstance(serde, EncryptedSerializer) else serde
        self._cipher = serde.cipher if isinstance(serde, EncryptedSerializer) else None

    @property
    def encrypts(self) -> bool:
        """True if `pack` encrypts."""
        return self._cipher is not None

    def dumps(self, value: object) -> tuple[str, bytes]:
        """Returns the type and the bytes of a value, not encrypted."""
        return self._serde.dumps_typed(value)

    def loads(self, kind: str, data: bytes) -> object:
        """Returns the value of bytes of `dumps`. Raises `InvalidInput` for bytes that LangGraph's serializer has not
        written, and for a type that is not allowed."""
        if not isinstance(self._serde, JsonPlusSerializer):
            value: object = self._serde.loads_typed((kind, data))
            return value
        if kind not in _KINDS:
            raise InvalidInput(f"the checkpoint holds a value of the kind '{kind}', which FoxingSaver never writes")
        with _blocked_types() as blocked:
            try:
                value = self._serde.loads_typed((kind, data))
            except (ValueError, TypeError, RecursionError) as error:
                raise InvalidInput(_DAMAGED) from error
        if blocked:
            names = ", ".join(f"'{name}'" for name in dict.fromkeys(blocked))
            raise InvalidInput(
                f"the checkpoint holds values of types that this saver does not create: {names}; if your graph stores "
                "them, and creating one is harmless with any arguments, list them: "
                "FoxingSaver.connect(…, allowed_types=[…])"
            )
        return value

    def pack(self, data: bytes) -> str:
        """Returns bytes as the text of a record."""
        compressed = zlib.compress(data, _LEVEL)
        packed = _COMPRESSED + compressed if len(compressed) < len(data) else _PLAIN + data
        if self._cipher is None:
            return base64.b64encode(packed).decode()
        name, encrypted = self._cipher.encrypt(packed)
        return f"{name}:{base64.b64encode(encrypted).decode()}"

    def unpack(self, text: str, max_bytes: int) -> bytes:
        """Returns the bytes of a text of `pack`, at most `most`. Raises `InvalidInput` if they are more, damaged, or
        encrypted and there is no cipher."""
        cipher, colon, body = text.rpartition(":")
        try:
            packed = base64.b64decode(body, validate=True)
        except ValueError as error:
            raise InvalidInput(_DAMAGED) from error
        if colon:
            packed = self._decrypted(cipher, packed)
        if packed[:1] == _COMPRESSED:
            return _inflated(packed[1:], max_bytes)
        if packed[:1] != _PLAIN:
            raise InvalidInput(_DAMAGED)
        if len(packed) - 1 > max_bytes:
            raise _too_large(max_bytes)
        return packed[1:]

    def _decrypted(self, name: str, data: bytes) -> bytes:
        if self._cipher is None:
            raise InvalidInput("the checkpoint is encrypted; give the saver the EncryptedSerializer that wrote it")
        try:
            return self._cipher.decrypt(name, data)
        except Exception as error:  # of any cipher
            raise InvalidInput(
                "the checkpoint cannot be decrypted; give the saver the EncryptedSerializer and the key that wrote it"
            ) from error


def strict(serde: SerializerProtocol | None, allowed_types: Iterable[AllowedType]) -> SerializerProtocol:
    """Returns a serializer that creates values of LangGraph's safe types, of those that `serde` lists, and of
    `allowed_types`. The default of `JsonPlusSerializer`, to create any, is not taken over; a serializer that is none is
    returned as it is. Raises `InvalidInput` for one that unpickles, for a subclass that creates any type, and for
    `allowed_types` beside a serializer that has no list."""
    allowed = list(allowed_types)
    if isinstance(serde, EncryptedSerializer):
        return EncryptedSerializer(serde.cipher, strict(serde.serde, allowed))
    if serde is None:
        serde = JsonPlusSerializer()
    if not isinstance(serde, JsonPlusSerializer):
        if allowed:
            raise InvalidInput(f"allowed_types has no effect on {type(serde).__name__}, which has to check by itself")
        return serde
    if serde.pickle_fallback:
        raise InvalidInput(
            "pickle_fallback lets every client of the bank run code in this program; use a serializer without it"
        )
    if _creates_all(serde):
        if type(serde) is not JsonPlusSerializer:
            raise InvalidInput(
                f"{type(serde).__name__} creates any type that a checkpoint names, so that every client of the bank "
                "can run code in this program; give it allowed_msgpack_modules"
            )
        serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    return serde.with_msgpack_allowlist(allowed)


def _creates_all(serde: JsonPlusSerializer) -> bool:
    """True for a serializer to whose list nothing can be added."""
    return serde.with_msgpack_allowlist([(__name__, "")]) is serde


@contextmanager
def _blocked_types() -> Iterator[list[str]]:
    """Within it, the names of types that this thread asks LangGraph's serializer for, and that it does not create, are
    added to the list. In their place it would return what it has of them."""
    names: list[str] = []
    thread = threading.get_ident()

    def note(event: SerdeEvent) -> None:
        if threading.get_ident() == thread:
            names.append(".".join(filter(None, (event["module"], event["name"], event.get("method")))))

    unregister = register_serde_event_listener(note)
    try:
        yield names
    finally:
        unregister()


def _inflated(data: bytes, max_bytes: int) -> bytes:
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise InvalidInput(_DAMAGED) from error
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    if not inflate.eof or inflate.unused_data:
        raise InvalidInput(_DAMAGED)
    return content


def _too_large(max_bytes: int) -> InvalidInput:
    return InvalidInput(
        f"a part of the checkpoint is larger than the {max_bytes} bytes that FoxingSaver stores in one; delete the "
        "thread with delete_thread"
    )
