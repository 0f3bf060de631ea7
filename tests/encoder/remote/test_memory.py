"""A memory whose pages are read through a server."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.endpoint_server import EMPTY_ANSWERS, MODEL, LoadCodec, Server, completion, random_fault
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.api.settings import load_settings
from foxing.encoder import load_codec
from foxing.encoder.remote.codec import EndpointCodec
from foxing.memory import Memory, ReaderFailed
from foxing.renderer import Entry, Typesetter, all_tiers
from foxing.renderer.page import grid_text

START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def remember(memory: Memory, count: int) -> None:
    text = "note {}: Titan ships on 14 March, and the battery test in the cold room took longer than planned"
    memory.store(
        "b",
        [
            {"id": f"m{n}", "role": "user", "content": text.format(n), "created_at": START + timedelta(minutes=n)}
            for n in range(count)
        ],
    )


@pytest.mark.slow
def test_printed_pages_age_from_their_image_and_stay_exact(server: Server, load: LoadCodec, database_url: str) -> None:
    codec = load(server.url, columns=80)
    setter = Typesetter(codec.layout)
    clock = [START + timedelta(hours=12)]
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 12)
        memory.seal("b")
        written = [
            Entry(span.message_id, span.role, span.text, span.created_at, span.thread) for span in memory.export("b")
        ]
        lines = "\n".join(grid_text(row) for row in setter.page(written).cells)
        server.answer = lambda answer: completion(lines)
        for days, tier in ((8, "small"), (31, "tiny"), (366, "micro")):
            clock[0] = START + timedelta(days=days)
            (move,) = memory.age("b").moved
            assert move.to_tier == tier
            (page,) = memory.pages("b").pages
            assert memory.page_tokens("b", page.id).image().size == (codec.tiers[tier].side_px,) * 2
        assert [span.text for span in memory.export("b")] == [entry.content for entry in written]
        assert codec.usage.pages == codec.usage.requests == 4  # one for each move, one for the export


@pytest.mark.slow
def test_what_was_read_wrong_stays_flagged_in_smaller_images_and_where_others_are_cut_out(
    server: Server, load: LoadCodec, database_url: str
) -> None:
    codec = load(server.url, columns=80)
    clock = [START + timedelta(hours=12)]
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 12)
        memory.seal("b")
        said = [
            Entry(span.message_id, span.role, span.text, span.created_at, span.thread) for span in memory.export("b")
        ]
        lines = "\n".join(grid_text(row) for row in Typesetter(codec.layout).page(said).cells)
        wrong = lines.replace("note 3: Titan", "note 3: Tixan")
        server.answer = lambda answer: completion(wrong)
        for days, tier in ((8, "small"), (31, "tiny")):
            clock[0] = START + timedelta(days=days)
            assert [move.to_tier for move in memory.age("b").moved] == [tier]
            flagged = {
                s.message_id: [s.text[a:b] for a, b, _ in s.uncertain] for s in memory.export("b") if s.uncertain
            }
            assert flagged == {"m3": ["x"]}
        [page] = memory.pages("b").pages
        before = memory.page_tokens("b", page.id)
        memory.erase_message("b", "m11")
        after = memory.page_tokens("b", page.id)
        assert after.data != before.data
        assert after.misread == before.misread != b""
        memory.erase_message("b", "m3")
        assert memory.page_tokens("b", page.id).misread == b""


@pytest.mark.slow
def test_a_memory_ages_and_recalls_through_a_failing_server(server: Server, load: LoadCodec, database_url: str) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url, retries=9, timeout_s=5.0)
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 40)
        memory.seal("b")
        assert codec.usage.requests == 0  # fresh pages keep their text
        assert memory.bank("b").pages == 1
        server.fault = lambda png, attempt: random_fault(f"{png.hex()}/{attempt}")
        clock[0] += timedelta(days=8)
        moved = memory.age("b").moved
        assert [move.to_tier for move in moved] == ["small"]
        asked = codec.usage.pages
        clock[0] += timedelta(days=30)
        assert [move.to_tier for move in memory.age("b").moved] == ["tiny"]
        assert codec.usage.pages == asked + 1  # the new tokens are read; the old ones already are an image
        found = memory.recall("b", "Titan", limit=3).spans
        assert [span.source for span in found] == ["decoded"] * 3
        assert all("Titan ships on 14 March" in span.text for span in found)
        page = memory.pages("b").pages[0]
        assert page.bytes > 1000
        assert memory.page_tokens("b", page.id).dtype == "png"


@pytest.mark.slow
def test_a_message_is_cut_out_of_the_images_of_pages_and_nothing_is_read(
    server: Server, load: LoadCodec, database_url: str
) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url)
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 40)
        memory.seal("b")
        for days in (8, 31):
            clock[0] = START + timedelta(days=days)
            memory.age("b")
        [page] = memory.pages("b").pages
        before = np.array(memory.page_tokens("b", page.id).image())
        texts = {span.message_id: span.text for span in memory.export("b")}
        asked = codec.usage.pages
        report = memory.erase_message("b", "m20")
        assert [(item.tier, item.changed) for item in report.pages] == [("tiny", 0.0)]
        assert codec.usage.pages == asked
        after = np.array(memory.page_tokens("b", page.id).image())
        changed = before[: len(after)] != after
        assert 0.01 < changed.mean() < 0.05  # one of forty messages
        assert (after[changed] == 255).all()
        assert memory.page("b", page.id).confidence == page.confidence
        del texts["m20"]
        assert {span.message_id: span.text for span in memory.export("b")} == texts
        assert memory.recall("b", "note 20").spans[0].message_id != "m20"
        memory.erase_message("b", "m39")  # the last one: the page gets shorter
        assert memory.page_tokens("b", page.id).shape[0] <= len(after) // 64
        assert memory.read_page("b", page.id).messages[-1].message_id == "m38"


@pytest.mark.slow
def test_no_page_changes_while_the_server_is_down(server: Server, load: LoadCodec, database_url: str) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url, retries=1)
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 20)
        memory.seal("b")
        server.fault = lambda png, attempt: "500"
        clock[0] += timedelta(days=8)
        report = memory.age("b")
        assert (report.moved, report.busy, len(report.unreadable)) == ([], [], 1)
        assert memory.recall("b", "Titan").spans[0].source == "text"
        server.fault = lambda png, attempt: ""
        assert len(memory.age("b").moved) == 1
        server.fault = lambda png, attempt: "500"
        span = memory.recall("b", "Titan").spans[0]
        assert (span.text, span.confidence) == ("", 0)
        tries = server.attempts.total()
        assert memory.recall("b", "Titan").spans[0].confidence == 0
        assert server.attempts.total() == tries  # not requested again right away
        page = memory.pages("b").pages[0].id
        with pytest.raises(ReaderFailed, match="500: the engine is dead"):
            memory.read_page("b", page)
        clock[0] += timedelta(days=30)
        assert memory.age("b").moved == []
        server.fault = lambda png, attempt: ""
        assert len(memory.age("b").moved) == 1
        assert "Titan ships on 14 March" in memory.recall("b", "Titan").spans[0].text


@pytest.mark.parametrize("message", EMPTY_ANSWERS)
def test_no_page_loses_its_text_when_the_model_returns_nothing(
    server: Server, load: LoadCodec, database_url: str, message: str
) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url)
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 20)
        memory.seal("b")
        server.answer = lambda answer: EMPTY_ANSWERS[message]
        clock[0] += timedelta(days=8)
        report = memory.age("b")
        assert (report.moved, report.text_dropped, report.busy, len(report.unreadable)) == ([], [], [], 1)
        assert memory.recall("b", "Titan").spans[0].source == "text"


@pytest.mark.slow
def test_a_page_to_be_sealed_without_text_keeps_it_until_read_back(
    server: Server, load: LoadCodec, database_url: str
) -> None:
    clock = [START + timedelta(hours=12)]
    codec = load(server.url, retries=0)
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        remember(memory, 20)
        memory.set_policy("b", {**memory.policy("b").model_dump(mode="json"), "keep_text": "until:base"})
        server.fault = lambda png, attempt: "500"
        memory.seal("b")
        assert memory.pages("b").pages[0].text_kept
        server.fault = lambda png, attempt: ""
        memory.age("b")
        assert not memory.pages("b").pages[0].text_kept
        assert "Titan ships on 14 March" in memory.recall("b", "Titan").spans[0].text


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["codec", *arguments])


@pytest.mark.slow
def test_codec_check_reports_the_endpoint_and_the_accuracy(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOXING_CODEC", "remote")
    for name, value in {"URL": server.url, "MODEL": MODEL, "COLUMNS": "160"}.items():
        monkeypatch.setenv(f"FOXING_CODECS__REMOTE__{name}", value)
    result = invoke("check", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["codec"], document["weights"], document["passed"]) == ("remote", "png-160x80", True)
    assert document["runs_on"]["endpoint"] == server.url
    assert document["runs_on"]["model"] == MODEL
    assert {"foxing", "httpx", "python"} <= set(document["runs_on"])
    rows = document["tiers"]
    assert [row["tier"] for row in rows] == list(all_tiers())
    assert rows[0]["accuracy"] > 0.97
    assert [row["prompt_tokens"] for row in rows] == [300] * 5
    assert all(row["token_bytes"] > 1000 for row in rows)
    assert "Everything is in order." in invoke("check").stdout
    server.answer = lambda answer: completion("I see nothing.")
    blind = invoke("check", "--json")
    assert blind.exit_code == 1
    assert json.loads(blind.stdout)["passed"] is False
    monkeypatch.setenv("FOXING_CODECS__REMOTE__MODEL", "other-model")
    unknown = invoke("check")
    assert unknown.exit_code == 1
    assert f"it serves {MODEL}" in unknown.stderr.replace("\n", " ")
    for model in (MODEL, "other-model"):
        monkeypatch.setenv("FOXING_CODECS__REMOTE__MODEL", model)
        loaded = load_codec("remote", options=load_settings().codecs["remote"])
        assert isinstance(loaded, EndpointCodec)
        loaded.close()
