"""The audit log over HTTP and from the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from fastapi.testclient import TestClient
from support.service import serve
from typer.testing import CliRunner

from foxing.api.app import create_app
from foxing.api.cli.main import app
from foxing.api.settings import load_settings
from foxing.memory import Access, Memory, MemoryOptions

WORD = "zanzibarine"
LOAD = """
import sys
from foxing.memory import Access, Memory, MemoryOptions
memory = Memory(sys.argv[1], options=MemoryOptions(audit="changes", embedder="none"))
while True:
    for i in range(20):
        memory.store("b", [{"role": "user", "content": f"message {i}"}])
    print(20, flush=True)
"""


def test_lists_who_did_what_with_each_role(tmp_path: Path) -> None:
    options = MemoryOptions(audit="all", embedder="none")
    with Memory(tmp_path / "m.db", options=options) as memory:
        keys = memory.operations.keys
        admin, reader = (keys.create({"name": "n", "role": role, "tenant": "acme"}) for role in ("admin", "read"))
        writer = keys.create({"name": "n", "role": "write"})
        as_ = {key.id: {"Authorization": f"Bearer {key.key}"} for key in (admin, reader, writer)}
        with TestClient(create_app(load_settings({}), memory), base_url="http://127.0.0.1") as client:
            body = {"messages": [{"role": "user", "content": WORD}]}
            for bank in ("b", "acme~b"):
                stored = client.post(f"/v1/banks/{bank}/messages", json=body, headers=as_[writer.id])
                assert stored.is_success, stored.text
            assert client.post("/v1/banks/acme~b/recall", json={"query": WORD}, headers=as_[reader.id]).is_success
            assert client.get("/v1/audit", headers=as_[reader.id]).status_code == 403
            events = client.get("/v1/audit", headers=as_[admin.id])
            assert {(e["action"], e["key_id"], e["door"]) for e in events.json()["events"] if e["bank"]} == {
                ("store", writer.id, "http"),
                ("recall", reader.id, "http"),
            }
            assert {e["tenant"] for e in events.json()["events"]} == {"acme"}
            assert WORD not in events.text


def test_the_chain_verifies_after_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "m.db"
    with subprocess.Popen([sys.executable, "-c", LOAD, str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        stored = sum(int(process.stdout.readline()) for _ in range(5))
        os.kill(process.pid, signal.SIGKILL)
    result = CliRunner().invoke(app, ["--database", str(file), "audit", "verify", "--json"])
    found = json.loads(result.stdout)
    assert found["intact"]
    assert found["events"] >= stored
    with Memory(file) as memory:
        assert found["events"] == memory.bank("b").messages
    exported = CliRunner().invoke(app, ["--database", str(file), "audit", "export"])
    assert len(exported.stdout.splitlines()) == found["events"]


def test_refused_requests_are_recorded_without_what_they_asked(tmp_path: Path) -> None:
    options = MemoryOptions(audit="changes", embedder="none")
    with Memory(tmp_path / "m.db", options=options) as memory:
        reader = memory.operations.keys.create({"name": "n", "role": "read", "tenant": "acme", "banks": ["b"]})
        operator = memory.operations.keys.create({"name": "n", "role": "admin"})
        memory.store("acme~b", [{"role": "user", "content": "hello"}])
        memory.operations.limits.set("acme", {"recalls_at_once": 1})
        as_reader = {"Authorization": f"Bearer {reader.key}"}
        with (
            TestClient(create_app(load_settings({}), memory), base_url="http://127.0.0.1") as client,
            Access("read", tenant="acme").limiting(),
            memory.operations.limits.recall(),  # the only one at once
        ):
            query = {"query": WORD}
            calls = [
                (401, client.post(f"/v1/banks/{WORD}/recall", json=query)),
                (401, client.post("/v1/banks/b/recall", json=query, headers={"Authorization": f"Bearer {WORD}"})),
                (403, client.put("/v1/banks/b/policy", json={}, headers=as_reader)),
                (404, client.get("/v1/banks/bolt", headers=as_reader)),
                (429, client.post("/v1/banks/b/recall", json=query, headers=as_reader)),
                (404, client.get("/v1/banks/b/pages/none", headers=as_reader)),
                (303, client.get("/console/banks", headers=as_reader, follow_redirects=False)),
            ]
            assert [response.status_code for _, response in calls] == [status for status, _ in calls]
            answer = client.get("/v1/audit", headers={"Authorization": f"Bearer {operator.key}"})
        events = [e for e in answer.json()["events"] if e["outcome"] != "done"]
        assert [(e["action"], e["key_id"], e["tenant"], e["bank"], e["outcome"]) for e in events] == [
            ("POST banks.recall", None, None, None, "unauthorized"),
            ("POST banks.recall", None, None, None, "unauthorized"),
            ("PUT banks.policy", reader.id, "acme", "acme~b", "forbidden"),
            ("GET banks", reader.id, "acme", "acme~bolt", "not-found"),
            ("POST banks.recall", reader.id, "acme", "acme~b", "limit-reached"),
        ]
        assert {e["door"] for e in events} == {"http"}
        assert WORD not in answer.text
        assert memory.operations.audit.verify().intact


def test_a_tool_that_is_refused_is_recorded(tmp_path: Path) -> None:
    with (
        Memory(tmp_path / "m.db", options=MemoryOptions(audit="changes", embedder="none")) as memory,
        serve(memory) as client,
    ):
        reader = memory.operations.keys.create({"name": "n", "role": "read", "tenant": "acme"})
        memory.store("acme~b", [{"role": "user", "content": "hello"}])
        headers = {
            "Authorization": f"Bearer {reader.key}",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-06-18",
        }
        call = {"name": "forget", "arguments": {"message_id": WORD}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        answer = client.post("/x/mcp/b", json=body, headers=headers)
        assert "needs a key of the role write" in answer.text
        refused = [e for e in memory.operations.audit.list().events if e.outcome == "forbidden"]
        assert [(e.action, e.tenant, e.key_id, e.bank, e.door) for e in refused] == [
            ("mcp.forget", "acme", reader.id, "acme~b", "mcp")
        ]


def test_a_call_that_was_refused_in_the_memory_is_recorded_once(tmp_path: Path) -> None:
    options = MemoryOptions(audit="changes", embedder="none")
    with Memory(tmp_path / "m.db", options=options) as memory:
        admin = memory.operations.keys.create({"name": "n", "role": "admin", "tenant": "acme"})
        memory.operations.limits.set("acme", {"messages_per_day": 1})
        headers = {"Authorization": f"Bearer {admin.key}"}
        with TestClient(create_app(load_settings({}), memory), base_url="http://127.0.0.1") as client:
            body = {"messages": [{"role": "user", "content": WORD}] * 2}
            assert client.post("/v1/banks/b/messages", json=body, headers=headers).status_code == 429
            key = {"name": "n", "role": "read", "tenant": "bolt"}
            assert client.post("/v1/keys", json=key, headers=headers).status_code == 403
        events = [event for event in memory.operations.audit.list().events if event.outcome != "done"]
        assert [(event.action, event.outcome) for event in events] == [
            ("store", "limit-reached"),
            ("keys.create", "forbidden"),
        ]


def test_a_flood_without_a_key_does_not_fill_the_database(tmp_path: Path) -> None:
    options = MemoryOptions(audit="changes", embedder="none")
    with Memory(tmp_path / "m.db", options=options) as memory:
        memory.operations.keys.create({"name": "n", "role": "read"})
        with TestClient(create_app(load_settings({}), memory), base_url="http://127.0.0.1") as client:
            for number in range(200):
                assert client.get(f"/v1/banks/{number}").status_code == 401
        events = memory.operations.audit.list(limit=500).events
        refused = [event for event in events if event.action == "GET banks"]
        unrecorded = sum(event.items or 0 for event in events if event.action == "refused.unrecorded")
        assert len(refused) + unrecorded == 200
        assert 30 <= len(refused) < 60
        assert memory.operations.audit.verify().intact
