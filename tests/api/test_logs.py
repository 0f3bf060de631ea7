"""Log formats."""

import io
import json
import logging
from datetime import datetime

import pytest

from foxing.api.logs import configure_logs, get_logger
from foxing.api.settings import load_settings


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
