"""Signatures of thinking and of reasoning, and the digest of the conversation to which they are bound."""

import base64
import hashlib
import hmac
from typing import Any

from .tokens import canonical, compact

#: The key is fixed, so that a signature is valid after a restart of the server.
_KEY = b"foxing.integrations.testing"  # recorded sessions hold signatures made with it
_UNSEEN = frozenset({"cache_control"})


def chain(before: str, role: str, block: Any) -> str:
    """Returns the digest of a conversation with one more block. Marks of the cache do not count."""
    text = compact([role, canonical(block, without=_UNSEEN)])
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def sign(kind: str, text: str, bound_to: str) -> str:
    """Returns the signature of a text that was produced after the conversation with the digest `bound_to`."""
    return base64.b64encode(bytes.fromhex(bound_to) + _mac(kind, text, bound_to)).decode()


def bound_to(kind: str, text: str, signature: str) -> str | None:
    """Returns the digest of the conversation that a signature is bound to; None for a signature not of this text."""
    try:
        content = base64.b64decode(signature, validate=True)
    except ValueError:
        return None
    digest = content[:32].hex()
    return digest if hmac.compare_digest(content[32:], _mac(kind, text, digest)) else None


def _mac(kind: str, text: str, digest: str) -> bytes:
    return hmac.new(_KEY, f"{kind}\n{digest}\n{text}".encode(), hashlib.sha256).digest()
