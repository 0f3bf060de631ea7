"""Log formats."""

import io
import json
import logging
from datetime import datetime
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.service import serve

from foxing.api.app import create_app
from foxing.api.logs import configure_logs, get_logger
from foxing.api.server import BackgroundServer
from foxing.api.settings import load_settings
from foxing.api.tracing import Tracing
from foxing.memory import Memory


def test_a_log_line_is_one_json_object(root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({}), stream)
    get_logger().info("한국어\nand a new line", bank="b")
    logging.getLogger("some.library").warning(
        "%s is odd", "this", extra={"why": "because", "color_message": "%s is \x1b[31modd"}
    )
    try:
        raise RuntimeError("the cause")
    except RuntimeError:
        get_logger().exception("failed")
    get_logger().debug("below the level")
    for library in ("httpx", "httpcore.http11"):
        logging.getLogger(library).info("POST http://bob:hunter2@host/v1")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["한국어\nand a new line", "this is odd", "failed"]
    assert lines[0]["bank"] == "b"
    assert (lines[1]["level"], lines[1]["logger"], lines[1]["why"]) == ("warning", "some.library", "because")
    assert "color_message" not in lines[1]
    assert "RuntimeError: the cause" in lines[2]["exception"]
    assert all(datetime.fromisoformat(line["time"]).tzinfo is not None for line in lines)


def test_text_format_is_for_people(root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({"log_format": "text", "log_level": "warning"}), stream)
    get_logger().info("below the level")
    get_logger().warning("look here", bank="b")
    assert "look here" in stream.getvalue()
    assert "bank=b" in stream.getvalue()
    assert "below the level" not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_a_client_sends_does_not_act_on_the_terminal(root_logger: logging.Logger, log_format: str) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({"log_format": log_format}), stream)
    hostile = "a\x1b[31m\x1b]0;title\x07\x9b2J\x7f\u202e\r\nforged 2026-03-02 info"
    get_logger().info(f"request for {hostile}", bank=hostile)
    logging.getLogger("some.library").warning("%s", hostile)
    try:
        raise RuntimeError(hostile)
    except RuntimeError:
        get_logger().exception("failed")
    written = stream.getvalue()
    assert not [c for c in written if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" or c == "\u202e"]
    assert written.count("forged") >= 4
    before_traceback = written[: written.index("Traceback")]
    assert before_traceback.count("\n") == 2 + (log_format == "text")
    if log_format == "json":
        assert json.loads(written.splitlines()[0])["bank"] == hostile


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, stream.getvalue().splitlines()) if line["event"] == "request"]


def test_a_refused_call_is_logged_with_its_route_key_and_address(
    database_url: str, root_logger: logging.Logger
) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({}), stream)
    with Memory(database_url) as memory, serve(memory, api_key="k" * 32) as client:
        memory.operations.limits.set("acme", {"requests_per_s": 1})
        reading = memory.operations.keys.create({"name": "reader", "role": "read", "tenant": "acme", "banks": ["a*"]})
        client.headers["Authorization"] = f"Bearer {reading.key}"
        wrong = reading.key[:-3] + "AAA"
        assert client.post("/v1/banks/ana/seal", json={}).status_code == 403
        assert client.get("/v1/banks/other/policy").status_code == 404
        assert client.get("/v1/banks/ana/messages/m1").status_code == 404
        assert client.get("/v1/banks/ana/messages/m1").status_code == 429
        assert client.get("/metrics", headers={"Authorization": f"Bearer {wrong}"}).status_code == 401
        assert client.get("/nowhere", headers={"Authorization": "Bearer no-key"}).status_code == 401
    lines = logged(stream)
    assert [(line["status"], line["path"], line.get("key_id"), line.get("address")) for line in lines] == [
        (403, "/v1/banks/{bank}/seal", reading.id, "127.0.0.1"),
        (404, "/v1/banks/{bank}/policy", reading.id, "127.0.0.1"),
        (404, "/v1/banks/{bank}/messages/{message_id}", reading.id, None),
        (429, "/v1/banks/{bank}/messages/{message_id}", reading.id, "127.0.0.1"),
        (401, "/metrics", reading.id, "127.0.0.1"),
        (401, "unmatched", None, "127.0.0.1"),
    ]
    assert reading.key not in stream.getvalue()
    assert wrong not in stream.getvalue()


def test_lines_name_the_trace_of_their_request(database_url: str, root_logger: logging.Logger) -> None:
    stream = io.StringIO()
    configure_logs(load_settings({}), stream)
    exporter = InMemorySpanExporter()
    settings = load_settings({"database_url": database_url, "ageing_enabled": False})
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with BackgroundServer(create_app(settings, tracing=Tracing(exporter, batched=False))) as server:
        httpx.get(f"{server.url}/v1/banks", headers={"traceparent": parent}, trust_env=False)
    [line] = logged(stream)
    [span] = [span for span in exporter.get_finished_spans() if span.name == "GET /v1/banks"]
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert line["span_id"] == f"{span.context.span_id:016x}"
