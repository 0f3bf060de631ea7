"""Tokens of an issuer over HTTP, in place of keys."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.issuer import Issuer
from support.service import check_problem, ok, serve

from foxing.api import tokens
from foxing.api.settings import InvalidSettings
from foxing.memory import Memory

MESSAGES = {"messages": [{"role": "user", "content": "Titan ships on 14 March."}]}


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path)


def test_a_token_gives_the_access_of_its_claims(memory: Memory, issuer: Issuer) -> None:
    with serve(memory, tokens=issuer.settings) as client:
        write = issuer.headers()
        assert client.post("/v1/banks/plans/messages", json=MESSAGES, headers=write).status_code == 201
        assert [bank["id"] for bank in ok(client.get("/v1/banks", headers=write))["banks"]] == ["plans"]
        assert [bank.id for bank in memory.banks().banks] == ["acme~plans"]
        check_problem(client.delete("/v1/banks/plans", headers=write), 403, "forbidden")
        reader = issuer.headers(role=None)
        assert client.get("/v1/banks/plans", headers=reader).status_code == 200
        check_problem(client.post("/v1/banks/plans/messages", json=MESSAGES, headers=reader), 403, "forbidden")
        other = issuer.headers(tenant="globex", role="admin")
        check_problem(client.get("/v1/banks/plans", headers=other), 404, "not-found")
        check_problem(client.get("/metrics", headers=other), 403, "forbidden")
        for banks in (["a*", "b"], "a* b"):
            check_problem(client.get("/v1/banks/plans", headers=issuer.headers(banks=banks)), 404, "not-found")
        assert client.get("/v1/banks/plans", headers=issuer.headers(banks="p*")).status_code == 200


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.example"}, "issuer"),
        ({"aud": "other"}, "Audience"),
        ({"late": -120}, "expired"),
        ({"exp": None}, "exp"),
        ({"nbf": datetime.now(UTC) + timedelta(hours=1)}, "not yet valid"),
        ({"tenant": None}, "names no tenant"),
        ({"tenant": "a~b"}, "claims"),
        ({"role": "owner"}, "claims"),
        ({"role": "admin", "banks": ["a*"]}, "claims"),
        ({"key": ec.generate_private_key(ec.SECP256R1())}, "ignature"),
        ({"key": rsa.generate_private_key(65537, 2048), "algorithm": "RS256"}, "not accepted"),
        ({"key": "secret" * 10, "algorithm": "HS256"}, "not accepted"),
        ({"algorithm": "none"}, "not accepted"),
    ],
)
def test_other_tokens_are_refused(memory: Memory, issuer: Issuer, claims: dict[str, Any], reason: str) -> None:
    with serve(memory, tokens=issuer.settings) as client:
        headers = issuer.headers(**claims)
        problem = check_problem(client.get("/v1/banks", headers=headers), 401, "unauthorized")
        assert reason in problem["detail"]
        assert headers["Authorization"].removeprefix("Bearer ") not in problem["detail"]


def test_a_clock_that_is_a_minute_late_is_borne(memory: Memory, issuer: Issuer) -> None:
    with serve(memory, tokens=issuer.settings) as client:
        assert client.get("/v1/banks", headers=issuer.headers(late=-30)).status_code == 200


def test_a_service_with_an_issuer_needs_a_token_or_a_key(memory: Memory, issuer: Issuer) -> None:
    with serve(memory, tokens=issuer.settings) as client:
        check_problem(client.get("/v1/banks"), 401, "unauthorized")
        assert client.get("/console/banks").headers["location"].startswith("/console/login")
        key = memory.operations.keys.create({"name": "n", "role": "read"}).key
        assert client.get("/v1/banks", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_keys_of_the_issuer_are_read_again(memory: Memory, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "REREAD_S", 0.0)
    with serve(memory, tokens=issuer.settings) as client:
        old = issuer.headers()
        assert client.get("/v1/banks", headers=old).status_code == 200
        issuer.rotate("second")
        check_problem(client.get("/v1/banks", headers=old), 401, "unauthorized")
        assert client.get("/v1/banks", headers=issuer.headers()).status_code == 200
        issuer.path.write_text("{")
        assert client.get("/v1/banks", headers=issuer.headers()).status_code == 200


def test_a_file_without_public_keys_is_refused(memory: Memory, issuer: Issuer, tmp_path: Path) -> None:
    for text in ("", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}'):
        issuer.path.write_text(text)
        with pytest.raises(InvalidSettings, match="keys_file"), serve(memory, tokens=issuer.settings):
            pass


def test_an_mcp_server_says_where_its_tokens_come_from(memory: Memory, issuer: Issuer) -> None:
    with serve(memory, tokens=issuer.settings) as client:
        refused = client.post("/x/mcp/plans", json={})
        assert refused.status_code == 401
        metadata = refused.headers["WWW-Authenticate"].split('resource_metadata="')[1].rstrip('"')
        answer = ok(client.get(metadata))
        assert answer["resource"] == f"{str(client.base_url).rstrip('/')}/x/mcp/plans"
        assert answer["authorization_servers"] == ["https://login.example"]
    with serve(memory) as client:
        check_problem(client.get("/.well-known/oauth-protected-resource"), 404, "not-found")
