"""API keys over HTTP: who may do what, by the table of permissions."""

import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.routing import Mount
from support.clock import Clock
from support.issuer import Issuer
from support.service import check_problem, ok, serve

from foxing.api import key_checks
from foxing.api.app import create_app
from foxing.api.permissions import COMMANDS_BY_KEY, LOCAL_COMMANDS, RoutePermission, permissions, role_of
from foxing.api.settings import Settings
from foxing.integrations.client import ServiceOptions, connect
from foxing.integrations.hooks.app import make_app as make_hooks
from foxing.integrations.hooks.projects import bank_of_root
from foxing.integrations.mcp import bridge
from foxing.integrations.mcp.app import PATHS as MCP_PATHS
from foxing.integrations.mcp.server import TOOLS
from foxing.memory import FoldRequest, Memory
from foxing.memory.access import ROLES
from foxing.renderer import FoxingError

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
OWN = "the-key-of-the-settings"
MESSAGES = {"messages": [{"role": "user", "content": "Titan ships on 14 March."}]}
#: Rows of the table, of which each request of the matrix is made.
ROWS = list(permissions())
NO_KEY = ("none", "wrong", "expired", "revoked")
KINDS = (*NO_KEY, *ROLES, "own", "other-read", "other-write", *(f"acme-{role}" for role in ROLES))
#: Tokens of an issuer, in place of keys: those that it did not make for this service, and those of two tenants.
NO_TOKEN = ("token-expired", "token-audience", "token-key", "token-tenantless")
TOKENS = (*NO_TOKEN, *(f"token-acme-{role}" for role in ROLES), "token-other-write", "token-globex-read")


def routes(application: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Methods and path templates of all routes, those of mounted applications included."""
    for route in application.routes:
        if isinstance(route, Mount):
            if hasattr(route.app, "routes"):
                yield from routes(route.app, prefix + route.path)
        else:
            yield from ((method, prefix + route.path) for method in route.methods if method != "HEAD")


def all_routes(memory: Memory) -> set[tuple[str, str]]:
    mcp = {(method, f"/x/mcp{path}") for method in ("GET", "POST", "DELETE") for path in MCP_PATHS}
    return {*routes(create_app(Settings.model_construct())), *routes(make_hooks(memory), "/x/hooks"), *mcp}


def test_every_route_has_a_row_and_every_row_a_route(memory: Memory) -> None:
    rows = [(row.method, row.path) for row in ROWS]
    assert set(rows) == all_routes(memory)
    assert len(rows) == len(set(rows))


class Keys:
    """One key of each kind."""

    def __init__(self, memory: Memory, clock: Clock, issuer: Issuer) -> None:
        self._tokens = {
            "token-expired": issuer.headers(role="admin", late=-3600),
            "token-audience": issuer.headers(role="admin", aud="another"),
            "token-key": issuer.headers(role="admin", key=ec.generate_private_key(ec.SECP256R1())),
            "token-tenantless": issuer.headers(role="admin", tenant=None),
            "token-other-write": issuer.headers(role="write", banks=["other*"]),
            **{
                f"token-{tenant}-{role}": issuer.headers(role=role, tenant=tenant)
                for tenant in ("acme", "globex")
                for role in ROLES
            },
        }
        keys = memory.operations.keys
        now, clock.now = clock.now, clock.now - timedelta(hours=2)
        expired = keys.create({"name": "n", "role": "admin", "expires_after": "PT1H"})
        clock.now = now
        revoked = keys.create({"name": "n", "role": "admin"})
        keys.revoke(revoked.id)
        self.by_kind = {"none": None, "wrong": f"foxing_{revoked.id}_wrong", "own": OWN}
        self.by_kind |= {"expired": expired.key, "revoked": revoked.key}
        self.by_kind |= {role: keys.create({"name": "n", "role": role}).key for role in ROLES}
        self.by_kind |= {
            f"other-{role}": keys.create({"name": "n", "role": role, "banks": ["other*"]}).key for role in ROLES[:2]
        }
        for role in ROLES:
            for tenant in ("acme", "globex"):
                new = keys.create({"name": "n", "role": role, "tenant": tenant})
                self.by_kind[f"{tenant}-{role}"] = new.key

    def headers(self, kind: str) -> dict[str, str]:
        if kind in self._tokens:
            return self._tokens[kind]
        key = self.by_kind[kind]
        return {} if key is None else {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Keys]]:
    clock = Clock(NOW)
    folder = tmp_path_factory.mktemp("keys")
    issuer = Issuer(folder)
    with Memory(folder / "foxing.db", clock=clock) as memory:
        keys = Keys(memory, clock, issuer)
        with serve(memory, api_key=OWN, tokens=issuer.settings) as client:
            yield client, keys


def request(client: httpx.Client, row: RoutePermission, headers: dict[str, str], bank: str = "bank") -> httpx.Response:
    path = re.sub(r"\{(\w+)(:path)?\}", lambda match: bank if match[1] == "bank" else "x", row.path)
    return client.request(row.method, path, headers=headers)


@pytest.mark.parametrize("kind", [*KINDS, *TOKENS])
def test_the_matrix(served: tuple[httpx.Client, Keys], kind: str) -> None:
    client, keys = served
    for row in ROWS:
        if row.path.startswith("/console"):
            continue  # has sessions
        response = request(client, row, keys.headers(kind))
        tenant = kind.startswith(("acme", "token"))
        if row.role is None:
            assert response.status_code == 200, row
        elif kind in (*NO_KEY, *NO_TOKEN):
            check_problem(response, 401, "unauthorized")
        elif kind != "own" and ROLES.index(kind.rpartition("-")[2]) < ROLES.index(row.role):  # type: ignore[arg-type]
            assert f"needs a key of the role {row.role}" in check_problem(response, 403, "forbidden")["detail"]
        elif tenant and not row.tenants and "other" not in kind:
            assert "needs a key without a tenant" in check_problem(response, 403, "forbidden")["detail"]
        elif "other" in kind and "{bank}" in row.path:
            assert "no bank 'bank'" in check_problem(response, 404, "not-found")["detail"]
        elif tenant and not row.tenants:
            check_problem(response, 403, "forbidden")
        else:
            other = tenant and "{tenant}" in row.path  # that of another tenant
            assert (response.status_code in (401, 403)) == other, (row, response.text)


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_of_the_console(served: tuple[httpx.Client, Keys], kind: str) -> None:
    client, keys = served
    origin = {"Origin": str(client.base_url).rstrip("/")}
    client.cookies.clear()
    key = keys.by_kind[kind]
    signed_in = client.post("/console/login", data={"key": key or ""}, headers=origin)
    assert (signed_in.status_code == 303) == (kind not in NO_KEY)
    for row in ROWS:
        if not row.path.startswith("/console/") or row.role is None:
            continue
        response = request(client, row, origin)
        if kind in NO_KEY:
            assert response.headers["location"].startswith("/console/login"), row
        elif kind != "own" and ROLES.index(kind.rpartition("-")[2]) < ROLES.index(row.role):  # type: ignore[arg-type]
            assert response.status_code == 403, row
            assert f"needs a key of the role {row.role}" in response.text
        elif kind.startswith("acme") and not row.tenants:
            assert response.status_code == 403, row
        elif kind.startswith("other") and "{bank}" in row.path:
            assert response.status_code == 404, row
            assert "this key opens banks named other*" in response.text
        else:
            assert response.status_code not in (401, 403), row
    client.cookies.clear()


def call_tool(client: httpx.Client, headers: dict[str, str], name: str, bank: str = "bank", **arguments: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    accept = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    response = client.post(f"/x/mcp/{bank}?tools=all", json=body, headers={**headers, **accept})
    assert response.status_code == 200, response.text
    return response.text


def test_the_console_takes_no_tokens(served: tuple[httpx.Client, Keys]) -> None:
    client, keys = served
    client.cookies.clear()
    token = keys.headers("token-acme-admin")
    origin = {"Origin": str(client.base_url).rstrip("/")}
    form = {"key": token["Authorization"].removeprefix("Bearer ")}
    assert client.post("/console/login", data=form, headers=origin).status_code == 401
    assert client.get("/console/banks", headers=token).headers["location"].startswith("/console/login")


@pytest.mark.parametrize("kind", [*ROLES, *(f"token-acme-{role}" for role in ROLES)])
def test_the_matrix_of_mcp_tools(served: tuple[httpx.Client, Keys], kind: str) -> None:
    client, keys = served
    for name, (_, _, role) in TOOLS.items():
        refused = ROLES.index(kind.rpartition("-")[2]) < ROLES.index(role)  # type: ignore[arg-type]
        said = f"the tool {name} needs a key of the role {role}"
        assert (said in call_tool(client, keys.headers(kind), name)) == refused, name


def test_a_bank_of_others_is_answered_like_one_that_does_not_exist(served: tuple[httpx.Client, Keys]) -> None:
    client, keys = served
    own = keys.headers("own")
    for bank in ("secret", "other-1"):
        assert client.post(f"/v1/banks/{bank}/messages", json=MESSAGES, headers=own).status_code == 201
    other = keys.headers("other-write")
    for row in ROWS:
        if "{bank}" in row.path and not row.path.startswith("/console"):
            exists, missing = (request(client, row, other, bank) for bank in ("secret", "absent"))
            for response in (exists, missing):
                assert response.status_code in (403, 404), row
            same = exists.text.replace("secret", "absent")
            without_id = [re.sub(r'"request_id":"\w+"', "", text) for text in (same, missing.text)]
            assert without_id[0] == without_id[1], row
    assert [bank["id"] for bank in ok(client.get("/v1/banks", headers=other))["banks"]] == ["other-1"]
    body = {"query": "Titan", "banks": ["secret"]}
    recalled = ok(client.post("/v1/banks/other-1/recall", json=body, headers=other))
    assert {span["bank"] for span in recalled["spans"]} == {"other-1"}
    recalled = ok(client.post("/v1/banks/other-1/recall", json=body, headers=own))
    assert {span["bank"] for span in recalled["spans"]} == {"other-1", "secret"}
    hinted = client.get("/v1/banks/other-2", headers=keys.headers("other-read")).json()["detail"]
    assert "did you mean 'other-1'" in hinted
    said = call_tool(client, other, "build_context", "other-1", query="Titan", banks=["secret"])
    assert "there is no bank 'secret'; this key opens" in said
    stored = client.post("/v1/banks/other-3/messages", json=MESSAGES, headers=other)
    assert stored.status_code == 201
    compressed = {"messages": [{"role": "user", "content": "hello"}]}
    assert client.post("/v1/compress", json=compressed, headers=other).status_code in (200, 422)


def test_keys_are_managed_over_http(memory: Memory) -> None:
    with serve(memory, api_key=OWN) as client:
        own = {"Authorization": f"Bearer {OWN}"}
        assert ok(client.get("/v1/keys", headers=own)) == {"keys": [], "next_cursor": None}
        body = {"name": "Ana", "role": "write", "banks": ["a*"], "expires_after": "P1D"}
        response = client.post("/v1/keys", json=body, headers=own)
        assert response.status_code == 201
        new = response.json()
        ana = {"Authorization": f"Bearer {new['key']}"}
        assert client.post("/v1/banks/ana/messages", json=MESSAGES, headers=ana).status_code == 201
        check_problem(client.get("/v1/keys", headers=ana), 403, "forbidden")
        (listed,) = ok(client.get("/v1/keys", headers=own))["keys"]
        assert "key" not in listed
        assert (listed["id"], listed["banks"]) == (new["id"], ["a*"])
        rotated = client.post(f"/v1/keys/{new['id']}/rotate", json={"overlap": "PT1H"}, headers=own).json()
        second = {"Authorization": f"Bearer {rotated['key']}"}
        assert client.get("/v1/banks/ana", headers=ana).status_code == 200
        assert client.get("/v1/banks/ana", headers=second).status_code == 200
        assert ok(client.delete(f"/v1/keys/{rotated['id']}", headers=own))["revoked_at"]
        check_problem(client.get("/v1/banks/ana", headers=second), 401, "unauthorized")
        check_problem(client.post(f"/v1/keys/{rotated['id']}/rotate", headers=own), 409, "conflict")
        check_problem(client.delete("/v1/keys/00000000", headers=own), 404, "not-found")
        wrong = {"name": "n", "role": "admin", "banks": ["a*"]}
        check_problem(client.post("/v1/keys", json=wrong, headers=own), 422, "invalid-request")


def test_the_first_key_closes_a_service_without_one(memory: Memory) -> None:
    with serve(memory) as client:
        assert client.get("/v1/banks").status_code == 200
        first = client.post("/v1/keys", json={"name": "first", "role": "admin"}).json()["key"]
        check_problem(client.get("/v1/banks"), 401, "unauthorized")
        assert client.get("/console/banks").status_code == 303
        assert client.get("/v1/banks", headers={"Authorization": f"Bearer {first}"}).status_code == 200


def test_a_key_of_another_process_is_revoked_within_seconds(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = memory.operations.keys
    with serve(memory, api_key=OWN) as client:
        new = keys.create({"name": "n", "role": "read"})
        headers = {"Authorization": f"Bearer {new.key}"}
        client.get("/v1/banks", headers=headers)
        monkeypatch.setattr(key_checks, "REREAD_UNKNOWN_S", 0.0)
        assert client.get("/v1/banks", headers=headers).status_code == 200
        keys.revoke(new.id)
        monkeypatch.setattr(key_checks, "REREAD_S", 0.0)  # as if the seconds had passed
        check_problem(client.get("/v1/banks", headers=headers), 401, "unauthorized")


def test_a_session_of_the_console_ends_with_its_key(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_checks, "REREAD_S", 0.0)
    keys = memory.operations.keys
    new = keys.create({"name": "n", "role": "read"})
    with serve(memory) as client:
        origin = {"Origin": str(client.base_url).rstrip("/")}
        assert client.post("/console/login", data={"key": new.key}, headers=origin).status_code == 303
        assert client.get("/console/banks").status_code == 200
        keys.revoke(new.id)
        assert client.get("/console/banks").headers["location"].startswith("/console/login")


def test_the_last_use_is_noted_once_a_minute(memory: Memory) -> None:
    keys = memory.operations.keys
    new = keys.create({"name": "n", "role": "read"})
    with serve(memory) as client:
        for _ in range(3):
            client.get("/v1/banks", headers={"Authorization": f"Bearer {new.key}"})
    (used,) = keys.list().keys
    assert used.last_used_at is not None


@pytest.mark.parametrize("sign", ["", "token-"], ids=["keys", "tokens"])
def test_tenants_who_use_the_same_names_never_meet(served: tuple[httpx.Client, Keys], sign: str) -> None:
    client, keys = served
    words = {"acme": "Titan ships on 14 March.", "globex": "Orion ships on 3 May."}
    for tenant, text in words.items():
        body = {"messages": [{"role": "user", "content": text, "id": "m1"}], "thread": "t"}
        headers = keys.headers(f"{sign}{tenant}-write")
        assert client.post("/v1/banks/plans/messages", json=body, headers=headers).status_code == 201
    for tenant, text in words.items():
        admin, read = (keys.headers(f"{sign}{tenant}-{role}") for role in ("admin", "read"))
        query = {"query": "what ships?", "banks": ["plans"]}
        (span,) = ok(client.post("/v1/banks/plans/recall", json=query, headers=read))["spans"]
        assert (span["text"], span["bank"], span["message_id"]) == (text, "plans", "m1")
        assert ok(client.get("/v1/banks/plans/messages/m1", headers=read))["text"] == text
        assert [bank["id"] for bank in ok(client.get("/v1/banks", headers=read))["banks"]] == ["plans"]
        own = ok(client.get(f"/v1/banks/{tenant}~plans", headers=read))
        assert own == ok(client.get("/v1/banks/plans", headers=read)) | {"due": own["due"]}
        assert ok(client.post("/v1/banks/plans/seal", headers=admin))["pages"]
        assert (
            text in ok(client.post("/v1/banks/plans/recall", json={"query": "what ships?"}, headers=read))["rendered"]
        )
    operator = keys.headers("admin")
    listed = [bank["id"] for bank in ok(client.get("/v1/banks", headers=operator))["banks"]]
    assert {"acme~plans", "globex~plans"} <= set(listed)
    assert ok(client.get("/v1/banks/globex~plans/messages/m1", headers=operator))["text"] == words["globex"]
    erased = client.delete("/v1/banks/plans", headers=keys.headers(f"{sign}globex-admin"))
    assert erased.json()["bank"] == "plans"
    assert (
        ok(client.get("/v1/banks/plans/messages/m1", headers=keys.headers(f"{sign}acme-read")))["text"] == words["acme"]
    )
    assert client.delete("/v1/banks/plans", headers=keys.headers(f"{sign}acme-admin")).status_code == 200


def test_a_bank_of_another_tenant_is_answered_like_one_that_does_not_exist(
    served: tuple[httpx.Client, Keys],
) -> None:
    client, keys = served
    globex = keys.headers("globex-write")
    assert client.post("/v1/banks/secret-2/messages", json=MESSAGES, headers=globex).status_code == 201
    acme = keys.headers("acme-write")
    for bank, absent in (("globex~secret-2", "globex~secret-x"), ("secret-2", "secret-x")):
        for row in ROWS:
            if "{bank}" in row.path and not row.path.startswith("/console") and row.method == "GET":
                answers = [request(client, row, acme, name) for name in (bank, absent)]
                texts = [re.sub(r'"request_id":"\w+"', "", answer.text) for answer in answers]
                assert texts[0].replace(bank, absent) == texts[1], row
                assert answers[0].status_code == answers[1].status_code, row
    answer = client.post("/v1/banks/globex~secret-2/messages", json=MESSAGES, headers=acme)
    check_problem(answer, 422, "invalid-input")
    answer_text = call_tool(client, acme, "build_context", "plans-2", query="Titan", banks=["globex~secret-2"])
    assert "ships on" not in answer_text


def test_hooks_answer_a_key_from_its_own_banks(served: tuple[httpx.Client, Keys], tmp_path: Path) -> None:
    client, keys = served
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "ledger"  # of another machine, where it may be a repository of its own
    words = {"acme": "The port of redis is 6380 on the laptops.", "globex": "The port of redis is 7001 here."}
    at = "2026-03-01T09:00:00Z"  # so that both banks have the same figures
    for tenant, text in words.items():
        for bank in ("hooked", bank_of_root(folder)):
            body = {"messages": [{"role": "user", "content": text, "created_at": at}], "thread": "claude-code:earlier"}
            stored = client.post(f"/v1/banks/{bank}/messages", json=body, headers=keys.headers(f"{tenant}-write"))
            assert stored.status_code == 201

    def ask(kind: str, event: str, bank: str, **fields: str) -> str:
        document = {"session_id": "s", "cwd": str(folder), "prompt": "which port does redis use?", **fields}
        headers = keys.headers(kind)
        path = f"/x/hooks/claude-code/{event}"
        answer = client.post(path, params={"bank": bank}, json=document, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    for tenant, other in (("acme", "globex"), ("globex", "acme")):
        for bank in ("hooked", f"{tenant}~hooked", "", "hooked,more"):
            said = ask(f"{tenant}-write", "UserPromptSubmit", bank)
            assert words[tenant] in said
            assert words[other] not in said
        begin = ask(f"{tenant}-write", "SessionStart", "hooked", session_id="new")
        assert "1 messages of this project" in begin
        assert words[tenant] in begin
        assert words[other] not in begin
        for bank in (f"{other}~hooked", f"hooked,{other}~hooked"):
            path, headers = f"/x/hooks/claude-code/UserPromptSubmit?bank={bank}", keys.headers(f"{tenant}-write")
            answer = client.post(path, headers=headers, json={"prompt": "which port does redis use?"})
            assert answer.status_code in (200, 400)
            assert words[other] not in answer.text
    # the prompt that switches sessions on a machine is an ordinary one of another machine
    assert ask("acme-write", "UserPromptSubmit", "hooked", prompt="foxing off") == ""
    assert words["acme"] in ask("acme-write", "UserPromptSubmit", "hooked")
    refused = client.post("/x/hooks/claude-code/SessionStart?bank=hooked", headers=keys.headers("other-write"), json={})
    check_problem(refused, 404, "not-found")
    read = client.post("/x/hooks/claude-code/SessionStart?bank=hooked", headers=keys.headers("acme-read"), json={})
    check_problem(read, 403, "forbidden")


def test_an_admin_of_a_tenant_manages_its_keys_alone(served: tuple[httpx.Client, Keys]) -> None:
    client, keys = served
    admin = keys.headers("acme-admin")
    listed = ok(client.get("/v1/keys", headers=admin))["keys"]
    assert {key["tenant"] for key in listed} == {"acme"}
    new = client.post("/v1/keys", json={"name": "n", "role": "read"}, headers=admin).json()
    assert new["tenant"] == "acme"
    body = {"name": "n", "role": "read", "tenant": "globex"}
    check_problem(client.post("/v1/keys", json=body, headers=admin), 403, "forbidden")
    globex = next(
        key for key in ok(client.get("/v1/keys", headers=keys.headers("admin")))["keys"] if key["tenant"] == "globex"
    )
    for answer in (
        client.delete(f"/v1/keys/{globex['id']}", headers=admin),
        client.post(f"/v1/keys/{globex['id']}/rotate", headers=admin),
    ):
        check_problem(answer, 404, "not-found")
    assert client.delete(f"/v1/keys/{new['id']}", headers=admin).status_code == 200


BILLED = {
    **{"id": "c", "called_at": NOW.isoformat(), "model": "gpt-5.6", "wire": "openai", "folded": False},
    **{"fresh_tokens": 1, "original_tokens": 1, "original_prefix": 0},
}


def answer_of_bridge(url: str, key: str | None) -> str:
    """What `foxing mcp URL` answers to a client that asks for a tool of readers."""
    output = io.BytesIO()
    connect = bridge.RemoteService(url, key).connect
    stated = {"io.modelcontextprotocol/protocolVersion": "2025-06-18"}
    params = {"name": "recall", "arguments": {"query": "x"}, "_meta": stated}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    bridge.Bridge(connect, "command", output, all_tools=True).run(iter([json.dumps(call).encode() + b"\n"]))
    return output.getvalue().decode()


def calls_of_proxy(url: str, key: str | None) -> None:
    """What `foxing proxy --service URL` asks for, of which it stores nothing here."""
    first = {"session": "s", "wire": "openai", "messages": [{"role": "user", "content": "hello"}], "budget": 1_000}
    with connect(ServiceOptions(url, key, retry_for_s=0.001), "command") as connection:
        connection.run(lambda memory: memory.fold("command", FoldRequest.from_fields({**first, "reader": "text"})))
        connection.run(lambda memory: memory.store("command", MESSAGES["messages"]))
        connection.run(lambda memory: memory.record_model_calls("command", [BILLED]))


@pytest.mark.parametrize("kind", ["none", "wrong", "read", "write", "token-acme-read", "token-acme-write"])
def test_commands_need_the_role_of_their_calls(served: tuple[httpx.Client, Keys], kind: str) -> None:
    client, keys = served
    url = str(client.base_url).rstrip("/")
    key = keys.headers(kind).get("Authorization", "").removeprefix("Bearer ") or None
    role = None if kind in NO_KEY else kind.rpartition("-")[2]
    assert {name: role_of(routes) for name, routes in COMMANDS_BY_KEY.items()} == {
        "foxing mcp URL": "read",
        "foxing proxy --service URL": "write",
    }
    assert ("the API key" in (answer := answer_of_bridge(url, key)) or "an API key" in answer) == (role is None)
    if role == "write":
        calls_of_proxy(url, key)
        return
    with pytest.raises(FoxingError) as refused:
        calls_of_proxy(url, key)
    assert refused.value.kind.status == (401 if role is None else 403)


def test_commands_call_the_routes_of_their_rows(memory: Memory) -> None:
    with serve(memory, api_key=OWN) as client:
        headers = {"Authorization": f"Bearer {OWN}"}
        for name, ask in (("foxing mcp URL", answer_of_bridge), ("foxing proxy --service URL", calls_of_proxy)):
            before = answered(client, headers)
            ask(str(client.base_url).rstrip("/"), OWN)
            expected = {route.replace("/x/mcp/{bank}", "/x/mcp") for route in COMMANDS_BY_KEY[name]}
            until = time.monotonic() + 60
            routes = set[str]()
            while not expected <= routes and time.monotonic() < until:  # counted once the answer has been sent
                routes = answered(client, headers) - before - {"GET /metrics"}
            assert routes == expected, name


def answered(client: httpx.Client, headers: dict[str, str]) -> set[str]:
    """The routes that a service has answered, from its metrics."""
    lines = client.get("/metrics", headers=headers).text.splitlines()
    pattern = re.compile(r'foxing_http_requests_total\{method="(\w+)",route="([^"]+)"')
    return {f"{match[1]} {match[2]}" for line in lines if (match := pattern.match(line))}


def test_every_call_of_a_command_is_a_row() -> None:
    rows = {f"{row.method} {row.path}" for row in ROWS}
    for routes in (*COMMANDS_BY_KEY.values(), *LOCAL_COMMANDS.values()):
        assert set(routes) <= rows
