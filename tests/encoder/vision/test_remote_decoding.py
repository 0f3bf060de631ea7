"""Stored tokens of DeepSeek-OCR decoded by a server, as prompt embeddings over HTTP. Both sides have the same
random weights."""

import base64
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.prompt_embeds_server import KEY, MODEL, Server

from foxing.encoder import (
    CodecError,
    DeepSeekOptions,
    ServerOptions,
    VisionTokens,
    load_codec,
)
from foxing.encoder.conformance import (
    CHECKS,
    READING_CHECKS,
    batches_decode_as_single_pages,
    tokens_match_the_spec,
    tokens_survive_a_round_trip,
)
from foxing.encoder.diagnostics import check_codec
from foxing.encoder.remote.completions import Completion
from foxing.encoder.remote.responses import MAX_ANSWER_CHARS, InvalidCompletion
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.generation import Generation
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.model import RepeatRule
from foxing.encoder.vision.remote_decoding import RemoteVisionCodec, to_generation
from foxing.memory import Memory
from foxing.memory.lifecycle import rewrite as rewriting
from foxing.renderer import PageLayout

OpenRemote = Callable[..., RemoteVisionCodec]
START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def assert_equal(one: Generation, other: Generation) -> None:
    assert one.text == other.text
    assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
    assert (one.looped == other.looped).all()
    assert one.finish_reason == other.finish_reason
    assert one.end_probability == pytest.approx(other.end_probability, abs=1e-4)


@pytest.mark.slow
def test_a_server_generates_what_the_local_codec_does(
    local_codec: VisionCodec, open_remote: OpenRemote, server: Server, tokens: list[VisionTokens]
) -> None:
    codec = open_remote()
    expected = local_codec.generate(tokens)
    assert len({generation.text for generation in expected}) > 1
    for generation, other in zip(codec.generate(tokens), expected, strict=True):
        assert_equal(generation, other)
    for reading, local in zip(codec.decode(tokens), local_codec.decode(tokens), strict=True):
        assert (reading.cells == local.cells).all()
        assert reading.confidence == pytest.approx(local.confidence, abs=1e-4)
        assert reading.tier == local.tier
    assert (codec.name, codec.weights, codec.tiers) == (local_codec.name, local_codec.weights, local_codec.tiers)
    longest = max(len(base64.b64decode(body["prompt_embeds"])) for body in server.bodies)
    assert longest < 4 * 32 * (273 + 20) + 4096
    assert server.bodies[0]["max_tokens"] == codec.max_new_tokens
    assert server.bodies[0]["vllm_xargs"] == {
        "ngram_size": 30,
        "window_size": 90,
        "whitelist_token_ids": sorted(local_codec.model.repeat_rule.exempt),
    }
    usage = codec.usage
    assert (usage.requests, usage.failures, usage.pages) == (2 * len(tokens), 0, len(tokens))
    assert usage.prompt_tokens > 2 * sum(local_codec.model.positions(item.tier) for item in tokens)


@pytest.mark.slow
def test_loops_are_cut_where_local_decoding_stops(
    local_codec: VisionCodec,
    open_remote: OpenRemote,
    tokens: list[VisionTokens],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local_codec, "max_new_tokens", 160)
    codec = open_remote()
    codec.max_new_tokens = 160
    expected = local_codec.generate(tokens)
    assert "loop" in {generation.finish_reason for generation in expected}
    for generation, other in zip(codec.generate(tokens), expected, strict=True):
        assert_equal(generation, other)


@pytest.mark.slow
def test_a_missing_end_of_sequence_token_is_inferred(
    local_codec: VisionCodec,
    open_remote: OpenRemote,
    server: Server,
    tokens: list[VisionTokens],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codec = open_remote()
    codec.generate(tokens[:1])
    ids = Completion.of(server.completion(server.bodies[-1])).ids
    assert ids is not None
    monkeypatch.setattr(DeepSeekOcr, "eos_token_ids", frozenset({ids[5]}))  # generated, unlike the real one
    expected = local_codec.generate(tokens[:1])[0]
    assert expected.finish_reason == "end"
    assert_equal(codec.generate(tokens[:1])[0], expected)
    server.returns_end = False
    generation = codec.generate(tokens[:1])[0]
    assert (generation.text, generation.finish_reason) == (expected.text, "end")
    assert generation.end_probability == pytest.approx(0.9)


@pytest.mark.slow
def test_answers_without_token_ids_give_the_same_text(
    local_codec: VisionCodec,
    open_remote: OpenRemote,
    server: Server,
    tokens: list[VisionTokens],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless a token was banned: without ids it is not known which the model wanted there."""
    monkeypatch.setattr(DeepSeekOcr, "repeats", RepeatRule(1000, 1000))
    server.returns_ids = False
    ascii_tokens = [item for item in tokens if local_codec.generate([item])[0].text.isascii()] or tokens[:1]
    codec = open_remote()
    for item in ascii_tokens:
        expected = local_codec.generate([item])[0]
        generation = codec.generate([item])[0]
        assert generation.text.replace("\ufffd", "") == expected.text.replace("\ufffd", "")
        assert (generation.finish_reason == "end") == (expected.finish_reason == "end")
    server.answer = lambda document: {**document, "choices": [{**document["choices"][0], "logprobs": None}]}
    assert codec.generate(ascii_tokens[:1])[0].confidence == pytest.approx(0.9)


def completion(ids: Sequence[int], probability: float = 0.5, **fields: Any) -> Completion:
    names = [f"token_id:{token}" for token in ids]
    logprobs = {"tokens": names, "token_logprobs": [math.log(probability)] * len(ids)}
    return Completion.of({"choices": [{"text": "", "logprobs": logprobs, **fields}]})


def test_a_loop_without_the_logits_processor_is_marked(local_codec: VisionCodec) -> None:
    ids = local_codec.model.tokenize("Read this. ") + local_codec.model.tokenize("again and again. ") * 20
    generation = to_generation(local_codec.model, completion(ids, finish_reason="length"), 0.9, 400)
    assert generation.finish_reason == "loop"
    assert generation.text.startswith("Read this. again and again. ")
    assert not generation.looped[:10].any()
    assert generation.looped[-20:].all()
    assert generation.confidence[:10] == pytest.approx(0.5)


def test_non_finite_and_out_of_range_numbers_are_rejected(local_codec: VisionCodec) -> None:
    ids = local_codec.model.tokenize("Read this.")
    for wrong in (math.nan, math.inf):
        valid = completion(ids)
        names, numbers = list(valid.tokens), [wrong, *valid.logprobs[1:]]
        tops = [{name: number, "token_id:1": wrong} for name, number in zip(names, numbers, strict=True)]
        logprobs = {"tokens": names, "token_logprobs": numbers, "top_logprobs": tops}
        invalid = Completion.of({"choices": [{"text": "Read this.", "logprobs": logprobs}]})
        generation = to_generation(local_codec.model, invalid, 0.9, 400)
        assert generation.text == "Read this."
        assert generation.confidence == pytest.approx(0.9)
        assert invalid.answer.confidence is None
    for usage in ({"prompt_tokens": math.inf}, {"completion_tokens": -1}, {"prompt_tokens": 1e300}):
        with pytest.raises(InvalidCompletion):
            Completion.of({"choices": [{"text": "a"}], "usage": usage})
    with pytest.raises(InvalidCompletion):
        Completion.of({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [10**400]}}]})
    for token in (-1, 1 << 40):
        assert completion([token]).ids is None


def test_an_endless_answer_is_cut() -> None:
    names = ["token_id:5"] * (2 * MAX_ANSWER_CHARS)
    logprobs = {"tokens": names, "token_logprobs": [-0.5] * len(names)}
    endless = Completion.of(
        {"choices": [{"text": "a" * (2 * MAX_ANSWER_CHARS), "logprobs": logprobs, "finish_reason": "stop"}]}
    )
    assert (len(endless.text), len(endless.tokens), endless.cut) == (MAX_ANSWER_CHARS, MAX_ANSWER_CHARS, True)


#: Of each page at each tier, in all directions.
LONG_CHECKS = (tokens_survive_a_round_trip, tokens_match_the_spec, batches_decode_as_single_pages)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=check.__name__, marks=(pytest.mark.slow,) if check in LONG_CHECKS else ())
        for check in CHECKS
        if check not in READING_CHECKS
    ],
)
def test_conformance_with_a_decoding_server(open_remote: OpenRemote, check: Callable[[Any], None]) -> None:
    check(open_remote())


@pytest.mark.slow
def test_the_check_reports_the_servers_token_counts(open_remote: OpenRemote, server: Server) -> None:
    checked = check_codec(open_remote())
    assert [row.prompt_tokens for row in checked.tiers] == [n + 11 for n in (421, 273, 111, 73)]
    assert checked.runs_on["decoded by"] == f"{MODEL} at {server.url}"


def test_the_decoder_is_a_setting(deepseek_folder: Path, server: Server) -> None:
    remote = ServerOptions(url=server.url, model=MODEL, api_key=KEY)
    options = DeepSeekOptions(model=str(deepseek_folder), remote=remote)
    codec = load_codec("deepseek-ocr", "cpu", options=options)
    assert isinstance(codec, RemoteVisionCodec)
    codec.close()
    with pytest.raises(CodecError, match=r"needs the option 'remote\.url'") as caught:
        load_codec("deepseek-ocr", "cpu", {"remote": {"model": MODEL}})
    assert caught.value.settings == ("codecs.deepseek-ocr.remote.url",)
    for name in ("got-ocr2", "qwen-vl"):
        with pytest.raises(CodecError, match=f"the codec '{name}' has no option 'remote'"):
            load_codec(name, "cpu", {"remote": {"url": server.url, "model": MODEL}})
        with pytest.raises(CodecError, match=f"the codec '{name}' takes options of type VisionOptions"):
            load_codec(name, "cpu", options)


@pytest.mark.slow
def test_a_bank_can_change_its_decoder_without_reencoding(
    local_codec: VisionCodec,
    open_remote: OpenRemote,
    server: Server,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Random weights generate meaningless text, but the same locally and remotely."""
    # random weights read nothing right, which would keep the page from ageing
    monkeypatch.setattr(rewriting, "UNREAD_SHARE", 1.0)
    monkeypatch.setattr(rewriting, "MAX_MISREAD", 1.0)
    font: Any = "dejavu-sans-mono"
    layout = PageLayout(40, 20, cell_width_px=32, cell_height_px=64, newline="break", font=font, cropped=False)
    wide = VisionCodec(local_codec.model, local_codec.weights, layout=layout)
    wide.max_new_tokens = 60
    clock = [START + timedelta(hours=1)]
    with Memory(database_url, codec=wide, clock=lambda: clock[0]) as memory:
        memory.store("ana", [{"role": "user", "content": "The invoice went to the harbour.", "created_at": START}])
        memory.seal("ana")
        clock[0] += timedelta(days=8)
        assert [move.to_tier for move in memory.age("ana").moved] == ["small"]
        page = memory.pages("ana").pages[0].id
        read, stored = memory.read_page("ana", page), memory.page_tokens("ana", page)
    codec = open_remote(layout, retries=0)
    codec.max_new_tokens = 60
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        assert memory.page_tokens("ana", page) == stored
        assert memory.read_page("ana", page).text == read.text
        assert codec.usage.pages == 1
        clock[0] += timedelta(days=30)
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        server.fault = lambda attempt: "500"
        report = memory.age("ana")
        assert (report.moved, memory.pages("ana").pages[0].tier) == ([], "small"), "the page waits until it can be read"
    with Memory(database_url, codec=codec, clock=lambda: clock[0]) as memory:
        server.fault = lambda attempt: ""
        assert [move.to_tier for move in memory.age("ana").moved] == ["tiny"]
