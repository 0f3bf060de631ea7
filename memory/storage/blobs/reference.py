"""References that columns hold in place of blobs in object storage."""

import os
from dataclasses import dataclass
from typing import Self

PREFIX = b"\x00FXB1"
DIGEST_BYTES = 32
NONCE_BYTES = 8
SIZE_BYTES = 8
REFERENCE_BYTES = len(PREFIX) + DIGEST_BYTES + NONCE_BYTES + SIZE_BYTES


class MissingBlob(bytes):
    """Placeholder for a blob that is missing from the storage or damaged. It is neither tokens nor text."""

    def __new__(cls) -> Self:
        """Returns bytes that are not valid as tokens or text."""
        return super().__new__(cls, b"\xffmissing in object storage")


@dataclass(frozen=True)
class BlobReference:
    """Reference to a blob in object storage."""

    #: Digest of its content, keyed with a secret of the database, so that listing the storage reveals nothing.
    digest: bytes
    #: Random: content stored again after its deletion gets another name, so that deletion needs no lock.
    nonce: bytes
    #: Size in bytes.
    size: int

    @classmethod
    def new(cls, digest: bytes, size: int) -> Self:
        """Returns a reference with a new nonce."""
        return cls(digest, os.urandom(NONCE_BYTES), size)

    @classmethod
    def read(cls, stored: bytes | None) -> Self | None:
        """Returns the reference in a column; None if the column holds the content itself, or is null."""
        if stored is None or len(stored) != REFERENCE_BYTES or not stored.startswith(PREFIX):
            return None
        body = bytes(stored[len(PREFIX) :])
        nonce = body[DIGEST_BYTES : DIGEST_BYTES + NONCE_BYTES]
        return cls(body[:DIGEST_BYTES], nonce, int.from_bytes(body[DIGEST_BYTES + NONCE_BYTES :], "big"))

    @classmethod
    def named(cls, name: str, size: int) -> Self:
        """Returns the reference with that name."""
        digest, _, nonce = name.partition("-")
        return cls(bytes.fromhex(digest), bytes.fromhex(nonce), size)

    @property
    def name(self) -> str:
        """Name of the object: digest and nonce in hexadecimal."""
        return f"{self.digest.hex()}-{self.nonce.hex()}"

    def to_bytes(self) -> bytes:
        """Returns the reference as stored in a column, `REFERENCE_BYTES` long."""
        return PREFIX + self.digest + self.nonce + self.size.to_bytes(SIZE_BYTES, "big")
