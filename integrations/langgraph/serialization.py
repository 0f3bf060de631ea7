"""Values of checkpoints as bytes, and bytes as compressed text of a record, encrypted if the serializer encrypts."""

import base64
import zlib

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from foxing.memory.errors import InvalidInput

_LEVEL = 6  # of zlib
_PLAIN, _COMPRESSED = b"r", b"z"


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
        """Returns the value of bytes of `dumps`."""
        value: object = self._serde.loads_typed((kind, data))
        return value

    def pack(self, data: bytes) -> str:
        """Returns bytes as the text of a record."""
        compressed = zlib.compress(data, _LEVEL)
        packed = _COMPRESSED + compressed if len(compressed) < len(data) else _PLAIN + data
        if self._cipher is None:
            return base64.b64encode(packed).decode()
        name, encrypted = self._cipher.encrypt(packed)
        return f"{name}:{base64.b64encode(encrypted).decode()}"

    def unpack(self, text: str) -> bytes:
        """Returns the bytes of a text of `pack`. Raises `InvalidInput` if they are encrypted and there is no cipher."""
        cipher, colon, body = text.rpartition(":")
        packed = base64.b64decode(body)
        if colon:
            if self._cipher is None:
                raise InvalidInput("the checkpoint is encrypted; give the saver the EncryptedSerializer that wrote it")
            packed = self._cipher.decrypt(cipher, packed)
        return zlib.decompress(packed[1:]) if packed[:1] == _COMPRESSED else packed[1:]
