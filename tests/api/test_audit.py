"""The audit log over HTTP and from the command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from fastapi.testclient import TestClient
from typer.testing import CliRunner

from foxing.api.app import create_app
from foxing.api.cli.main import app
from foxing.api.settings import load_settings
from foxing.memory import Memory, MemoryOptions

WORD = "zanzibarine"
LOAD = """
import sys
from foxing.memory import Memory, MemoryOptions
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
