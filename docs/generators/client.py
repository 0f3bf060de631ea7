"""The synchronous client, made from the asynchronous one."""

import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

SOURCE = Path(__file__).resolve().parents[2] / "integrations" / "client" / "async_client.py"
HEAD = '"""The client of the HTTP service. Generated from async_client.py by `make docs`; do not edit it."""\n'
NAMES = {
    "AsyncClient": "Client",
    "AsyncClientRecords": "ClientRecords",
    "aclose": "close",
    "file_chunks_async": "file_chunks",
}


def client_module() -> str:
    """The text of integrations/client/client.py."""
    with tempfile.TemporaryDirectory() as folder:
        rule = unasync.Rule(f"{SOURCE.parent}/", f"{folder}/", additional_replacements=NAMES)
        unasync.unasync_files([str(SOURCE)], [rule])
        made = (Path(folder) / SOURCE.name).read_text(encoding="utf-8")
    body = HEAD + made.partition("\n")[2]
    for command in (("check", "--fix-only", "--unsafe-fixes", "--quiet", "--select", "I,UP028"), ("format", "--quiet")):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(SOURCE.with_name("client.py")), "-"]
        body = subprocess.run(ruff, input=body, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    return body
