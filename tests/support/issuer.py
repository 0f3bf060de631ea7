"""An issuer of tokens, whose keys a service reads from a file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLAIMS = {"iss": "https://login.example", "aud": "foxing", "tenant": "acme", "role": "write"}


class Issuer:
    """An issuer of tokens with a key pair, and the file of its public keys."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.json"
        self.rotate("first")

    def rotate(self, name: str) -> None:
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
        self.path.write_text(json.dumps({"keys": [{**public, "kid": name, "alg": "ES256", "use": "sig"}]}))

    def headers(self, *, key: Any = None, algorithm: str = "ES256", late: float = 300, **claims: Any) -> dict[str, str]:
        """The header of a token with `CLAIMS` and others; those that are None are left out."""
        until = datetime.now(UTC) + timedelta(seconds=late)
        body = {name: value for name, value in {**CLAIMS, "exp": until, **claims}.items() if value is not None}
        chosen = None if algorithm == "none" else key or self._key
        token = jwt.encode(body, chosen, algorithm, headers={"kid": self._name})
        return {"Authorization": f"Bearer {token}"}

    @property
    def settings(self) -> dict[str, Any]:
        return {"issuer": "https://login.example", "audience": "foxing", "keys_file": str(self.path)}
