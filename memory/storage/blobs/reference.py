"""What stands in a column in place of a blob that is in object storage."""

import os
from dataclasses import dataclass
from typing import Self

PREFIX = b"\x00FXB1"
DIGEST_BYTES = 32
NONCE_BYTES = 8
SIZE_BYTES = 8
REFERENCE_BYTES = len(PREFIX) + DIGEST_BYTES + NONCE_BYTES + SIZE_BYTES


class MissingBlob(bytes):
    """Stands for a blob that is not in the storage any more, or is damaged. It is neither tokens nor text."""

    def __new__(cls) -> Self:
        return super().__new__(cls, b"\xffmissing in object storage")


@dataclass(frozen=True)
class BlobReference:
    """A blob in object storage."""

    #: Of its content, keyed by a secret of the database, and so of no use to whoever lists the storage.
    digest: bytes
    #: Random: a blob that is stored again after it was deleted has another name, so that deleting it needs no lock.
    nonce: bytes
    #: Bytes.
    size: int

    @classmethod
    def new(cls, digest: bytes, size: int) -> Self:
        return cls(digest, os.urandom(NONCE_BYTES), size)

    @classmethod
    def read(cls, stored: bytes | None) -> Self | None:
        """The reference in a column; None if it holds the content itself, or nothing."""
        if stored is None or len(stored) != REFERENCE_BYTES or not stored.startswith(PREFIX):
            return None
        rest = bytes(stored[len(PREFIX) :])
        nonce = rest[DIGEST_BYTES : DIGEST_BYTES + NONCE_BYTES]
        return cls(rest[:DIGEST_BYTES], nonce, int.from_bytes(rest[DIGEST_BYTES + NONCE_BYTES :], "big"))

    @classmethod
    def named(cls, name: str, size: int) -> Self:
        """The reference with that name."""
        digest, _, nonce = name.partition("-")
        return cls(bytes.fromhex(digest), bytes.fromhex(nonce), size)

    @property
    def name(self) -> str:
        return f"{self.digest.hex()}-{self.nonce.hex()}"

    def to_bytes(self) -> bytes:
        return PREFIX + self.digest + self.nonce + self.size.to_bytes(SIZE_BYTES, "big")
