"""UsageLimits of tenants and usage, over HTTP: on both databases, by two services on one database."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from support.service import check_problem, ok, serve
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.api.fair_limiter import FairLimiter
from foxing.memory import Access, LimitReached, Memory

pytestmark = pytest.mark.both_databases


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def message(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


class Served:
    """Two services on one database, with keys of two tenants and of an operator."""

    def __init__(self, memory: Memory, clients: list[httpx.Client]) -> None:
        keys = memory.operations.keys
        self.memory = memory
        self.clients = clients
        self.operator = bearer(keys.create({"name": "n", "role": "admin"}).key)
        self.keys = {
            tenant: keys.create({"name": "n", "role": "admin", "tenant": tenant}) for tenant in ("acme", "beta")
        }
        self.by_tenant = {tenant: bearer(key.key) for tenant, key in self.keys.items()}

    def limit(self, tenant: str, **limits: Any) -> None:
        for client in self.clients:  # each reads them at once after its own change
            path = f"/v1/tenants/{tenant}/limits"
            answer = ok(client.put(path, json=limits, headers=self.operator))
            assert limits.items() <= answer.items()

    def store(self, tenant: str, text: str, client: int = 0, bank: str = "bank") -> httpx.Response:
        path = f"/v1/banks/{tenant}~{bank}/messages"
        return self.clients[client].post(path, json=message(text), headers=self.by_tenant[tenant])


@pytest.fixture
def served(database_url: str) -> Iterator[Served]:
    with (
        Memory(database_url) as memory,
        Memory(database_url) as other,
        serve(memory) as client,
        serve(other) as second,
    ):
        yield Served(memory, [client, second])


def test_two_services_never_exceed_the_quota_of_a_bank(served: Served) -> None:
    served.limit("acme", bank_messages=10)

    def send(number: int) -> int:
        return served.store("acme", f"note {number}", number % 2).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(send, range(40)))
    assert sorted(set(statuses)) == [201, 413]
    assert statuses.count(201) == served.memory.bank("acme~bank").messages == 10
    problem = check_problem(served.store("acme", "one more"), 413, "quota-reached")
    assert problem["detail"].startswith("bank_messages: the bank holds 10 of 10 messages")
    assert "retry" not in problem
    assert served.store("beta", "not limited").status_code == 201


def test_usage_is_what_the_banks_hold(served: Served) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: served.store("acme", "four", n % 2, f"b{n % 3}").status_code, range(30)))
    assert answers == [201] * 30
    served.store("beta", "é")
    for client in served.clients:
        client.get("/v1/usage", headers=served.operator)  # writes what it has counted
    rows = ok(served.clients[0].get("/v1/usage", headers=served.operator))["rows"]
    sums = {name: sum(row["messages"] for row in rows if row["tenant"] == name) for name in ("acme", "beta")}
    assert sums == {"acme": 30, "beta": 1}
    assert sum(row["bytes"] for row in rows) == 30 * 4 + 2
    assert sum(row["requests"] for row in rows if row["key_id"] == served.keys["acme"].id) == 30
    own = ok(served.clients[0].get("/v1/usage", headers=served.by_tenant["beta"]))["rows"]
    assert {row["tenant"] for row in own} == {"beta"}


def test_messages_and_bytes_of_a_day(served: Served) -> None:
    served.limit("acme", messages_per_day=2, bytes_per_day=1_000)
    assert [served.store("acme", "a").status_code for _ in range(2)] == [201, 201]
    answer = served.store("acme", "a")
    problem = check_problem(answer, 429, "limit-reached")
    assert problem["detail"].startswith("messages_per_day: the tenant acme has stored 2 of 2 today")
    assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
    served.limit("acme", bytes_per_day=10)
    assert "bytes_per_day" in check_problem(served.store("acme", "a" * 9), 429, "limit-reached")["detail"]
    assert served.store("acme", "a" * 8).status_code == 201


def test_requests_a_second(served: Served) -> None:
    served.limit("acme", requests_per_s=0.001)
    client = served.clients[0]
    assert client.get("/v1/banks", headers=served.by_tenant["acme"]).status_code == 200
    answer = client.get("/v1/banks", headers=served.by_tenant["acme"])
    check_problem(answer, 429, "limit-reached")
    assert int(answer.headers["Retry-After"]) > 900
    assert client.get("/v1/banks", headers=served.by_tenant["beta"]).status_code == 200


def test_recalls_at_once(served: Served) -> None:
    served.limit("acme", recalls_at_once=1)
    served.store("acme", "Titan ships on 14 March.")
    path = "/v1/banks/acme~bank/recall"
    client = served.clients[0]
    with ThreadPoolExecutor(12) as pool:
        send = lambda _: client.post(path, json={"query": "Titan"}, headers=served.by_tenant["acme"])  # noqa: E731
        statuses = {answer.status_code for answer in pool.map(send, range(48))}
    assert statuses == {200, 429}
    assert client.post(path, json={"query": "Titan"}, headers=served.by_tenant["acme"]).status_code == 200


def test_only_an_operator_sets_limits_and_a_tenant_sees_its_own(served: Served) -> None:
    client = served.clients[0]
    served.limit("acme", bank_messages=5)
    own = served.by_tenant["acme"]
    assert ok(client.get("/v1/tenants/acme/limits", headers=own))["bank_messages"] == 5
    check_problem(client.get("/v1/tenants/beta/limits", headers=own), 403, "forbidden")
    check_problem(client.put("/v1/tenants/acme/limits", json={}, headers=own), 403, "forbidden")
    assert client.put("/v1/tenants/acme/limits", json={"bank_messages": 0}, headers=served.operator).status_code == 422


def test_tenants_take_turns() -> None:
    order: list[str] = []

    async def call(limiter: FairLimiter, tenant: str) -> None:
        async with limiter.turn(tenant):
            await anyio.lowlevel.checkpoint()
            order.append(tenant)

    async def main() -> None:
        limiter = FairLimiter(1)
        async with anyio.create_task_group() as group:
            for tenant in [*["loud"] * 20, "quiet"]:
                group.start_soon(call, limiter, tenant)

    anyio.run(main)
    assert order.index("quiet") <= 2


def test_the_command_shows_usage(database_url: str) -> None:
    with Memory(database_url) as memory:
        memory.store("acme~bank", [{"role": "user", "content": "four"}])
    result = CliRunner().invoke(app, ["usage", "--json"], env={"FOXING_DATABASE_URL": database_url})
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["rows"]
    assert (row["tenant"], row["messages"], row["bytes"]) == ("acme", 1, 4)


def test_a_key_has_limits_of_its_own(served: Served) -> None:
    body = {"name": "n", "role": "write", "requests_per_s": 2, "recalls_at_once": 1}
    most = {"name": "n", "role": "read", "requests_per_s": 1_000_000, "recalls_at_once": 1 << 53}
    admin = served.by_tenant["acme"]
    new = served.clients[0].post("/v1/keys", json=body, headers=admin).json()
    assert (new["requests_per_s"], new["recalls_at_once"]) == (2, 1)
    assert served.clients[0].post("/v1/keys", json=most, headers=admin).status_code == 201
    for wrong in ({"requests_per_s": 0}, {"recalls_at_once": 0}, {"recalls_at_once": 1.5}):
        refused = served.clients[0].post("/v1/keys", json={**body, **wrong}, headers=admin)
        check_problem(refused, 422, "invalid-request")
    answers = [served.clients[0].get("/v1/banks", headers=bearer(new["key"])) for _ in range(8)]
    refusals = [answer for answer in answers if answer.status_code != 200]
    assert 1 <= len(refusals) <= 6
    detail = check_problem(refusals[0], 429, "limit-reached")["detail"]
    assert f"the key {new['id']} may send 2 requests" in detail
    assert float(refusals[0].headers["Retry-After"]) >= 1
    # other keys of the tenant are not concerned, and a rotated key keeps its limits
    assert ok(served.clients[0].get("/v1/banks", headers=admin)) is not None
    rotated = served.clients[0].post(f"/v1/keys/{new['id']}/rotate", headers=admin).json()
    assert (rotated["requests_per_s"], rotated["recalls_at_once"]) == (2, 1)
    limits = served.memory.operations.limits
    access = Access("write", tenant="acme", key_id=rotated["id"], recalls_at_once=1)
    with access.limiting(), limits.recall():
        with pytest.raises(LimitReached, match=f"recalls of the key {rotated['id']} are in progress"), limits.recall():
            pass
        with Access("write", tenant="acme", key_id="another").limiting(), limits.recall():
            pass
    with access.limiting(), limits.recall():
        pass


def test_keys_with_limits_are_created_by_the_command(tmp_path: Path) -> None:
    arguments = ["--database", str(tmp_path / "m.db"), "keys", "create", "--name", "n", "--role", "read"]
    limits = ["--requests-per-s", "0.5", "--recalls-at-once", "3", "--json"]
    made = json.loads(CliRunner().invoke(app, [*arguments, *limits]).stdout)
    assert (made["requests_per_s"], made["recalls_at_once"]) == (0.5, 3)


@pytest.mark.slow
def test_tokens_of_images_a_day(served: Served) -> None:
    served.limit("acme", messages_per_day=1_000)
    for number in range(40):
        served.store("acme", f"The delivery of order {number} to Porto is late again, as Mina said on Friday.")
    client = served.clients[0]
    headers = served.by_tenant["acme"]
    ok(client.post("/v1/banks/bank/seal", params={"wait": 60}, headers=headers))
    path = "/v1/banks/bank/recall"
    call = {"query": "Porto", "format": "images", "reader": "claude-opus-5"}
    tokens = ok(client.post(path, json=call, headers=headers))["vision_tokens"]
    assert tokens > 0
    served.limit("acme", image_tokens_per_day=2 * tokens)
    ok(served.clients[1].post(path, json=call, headers=headers))
    for each in served.clients:
        each.get("/v1/usage", headers=served.operator)  # writes what it has counted
    rows = ok(client.get("/v1/usage", headers=headers))["rows"]
    assert sum(row["image_tokens"] for row in rows) == 2 * tokens
    answer = client.post(path, json=call, headers=headers)
    problem = check_problem(answer, 429, "limit-reached")
    assert problem["detail"].startswith(
        f"image_tokens_per_day: the tenant acme has had {2 * tokens:,} of {2 * tokens:,}"
    )
    assert 1 <= int(answer.headers["Retry-After"]) <= 86_400
    assert ok(client.post(path, json={"query": "Porto"}, headers=headers))["spans"]
    budget = {"reader": "claude-opus-5", "budget": 2_000, "query": "Porto", "show": "text"}
    assert ok(client.post("/v1/banks/bank/context", json=budget, headers=headers))["image_tokens"] == 0
