"""Reading pages through a server: each page once, whatever fails on the way."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.endpoint_server import (
    FAULTS,
    LoadCodec,
    Model,
    NativeModel,
    Pauses,
    Server,
    TesseractModel,
    completion,
    pages_of,
    random_fault,
    tokens_of,
)

from foxing.encoder import Codec, CodecError, ReadFailed, TokensError
from foxing.encoder import VisionTokens as Tokens
from foxing.encoder.bench import accuracy
from foxing.encoder.capabilities import RemoteCodec
from foxing.encoder.conformance import (
    CHECKS,
    batches_decode_as_single_pages,
    sample_page,
    tokens_survive_a_round_trip,
)
from foxing.renderer import all_tiers, render


def faulty(tokens: Sequence[Tokens], seed: int) -> Callable[[bytes, int], str]:
    """Random faults for these pages, by page number and attempt."""
    number = {item.data: index for index, item in enumerate(tokens)}
    return lambda png, attempt: random_fault(f"{seed}/{number[png]}/{attempt}")


#: Numbers of pages, and seeds with which each fault occurs among the first attempts.
PAGES = pytest.mark.parametrize(("number", "seed"), [(24, 2), pytest.param(100, 8, marks=pytest.mark.slow)])


#: Of each page at each tier, in all directions.
LONG_CHECKS = (tokens_survive_a_round_trip, batches_decode_as_single_pages)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id=check.__name__, marks=(pytest.mark.slow,) if check in LONG_CHECKS else ())
        for check in CHECKS
    ],
)
def test_conformance(server: Server, load: LoadCodec, check: Callable[[Codec], None]) -> None:
    codec = load(server.url)
    assert isinstance(codec, RemoteCodec)
    check(codec)
    assert server.rejected == []


@pytest.mark.slow
@PAGES
def test_pages_are_read_once_each_while_a_quarter_of_the_calls_fail(
    server: Server, load: LoadCodec, native_model: NativeModel, pauses: Pauses, number: int, seed: int
) -> None:
    codec = load(server.url, timeout_s=5.0, retries=9)
    pages = pages_of(codec, number)
    tokens = tokens_of(codec, pages)
    native_model.read_ahead([item.image() for item in tokens])
    server.fault = faulty(tokens, seed)
    readings = codec.decode_each(tokens)
    for page, reading in zip(pages, readings, strict=True):
        assert not isinstance(reading, CodecError)
        assert accuracy(page.text, reading.text) > 0.97
    assert server.answered == Counter({item.data: 1 for item in tokens})
    faults = sum(count for fault, count in server.faults.items() if fault)
    calls = number + faults
    assert faults - server.faults["stall"] >= 0.2 * calls
    assert server.faults["stall"] >= 0.05 * calls
    assert set(FAULTS) <= set(server.faults)
    assert codec.usage.requests == calls
    assert (codec.usage.failures, codec.usage.pages, codec.usage.pages_failed) == (faults, number, 0)
    assert len(pauses) == faults
    assert pauses.count(7.0) == server.faults["429"]
    assert (
        server.max_in_progress <= 8 + server.faults["stall"]
    )  # the client has given up the stalled ones, the server has not


def test_connections_stay_open_between_requests(server: Server, load: LoadCodec, native_model: NativeModel) -> None:
    codec = load(server.url, concurrency=3)
    tokens = tokens_of(codec, pages_of(codec, 12))
    native_model.read_ahead([item.image() for item in tokens])
    codec.decode(tokens)
    assert server.connections <= 3
    codec.close()
    codec.decode(tokens[:1])
    assert server.connections <= 4


@pytest.mark.slow
@PAGES
def test_failures_without_retries_are_reported_and_other_pages_are_read(
    server: Server, load: LoadCodec, native_model: NativeModel, number: int, seed: int
) -> None:
    codec = load(server.url, timeout_s=5.0, retries=0)
    pages = pages_of(codec, number)
    tokens = tokens_of(codec, pages)
    native_model.read_ahead([item.image() for item in tokens])
    server.fault = faulty(tokens, seed)
    readings = codec.decode_each(tokens)
    failed = [reading for reading in readings if isinstance(reading, ReadFailed)]
    read = [
        (page, reading) for page, reading in zip(pages, readings, strict=True) if not isinstance(reading, CodecError)
    ]
    assert len(failed) + len(read) == number
    assert len(failed) == sum(count for fault, count in server.faults.items() if fault) >= number / 4
    assert all(accuracy(page.text, reading.text) > 0.97 for page, reading in read)
    assert set(server.answered.values()) == {1}
    assert len(server.answered) == len(read)
    messages = " ".join(map(str, failed))
    for part in (
        "500: the engine is dead",
        "did not respond within 5 s",
        "invalid JSON",
        "the connection to",
        "429: slow",
    ):
        assert part in messages


def test_a_page_requested_concurrently_is_read_once(server: Server, load: LoadCodec) -> None:
    codec = load(server.url)
    token = tokens_of(codec, pages_of(codec, 1))[0]
    gate = threading.Event()

    def wait(png: bytes, attempt: int) -> str:
        assert gate.wait(60)
        return ""

    server.fault = wait
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.extend(codec.decode_each([token, token]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert len({id(reading) for reading in results}) <= server.answered[token.data] <= 4
    codec.decode([token, token])
    assert server.answered[token.data] >= 3  # decode reads a page as often as it is given


def test_concurrency_is_limited(server: Server, load: LoadCodec) -> None:
    codec = load(server.url, concurrency=3)
    codec.decode(tokens_of(codec, pages_of(codec, 12)))
    assert 1 <= server.max_in_progress <= 3


def test_pauses_double_and_honour_retry_after(server: Server, load: LoadCodec, pauses: Pauses) -> None:
    codec = load(server.url, retries=4)
    token = tokens_of(codec, pages_of(codec, 1))
    server.fault = lambda png, attempt: "429" if attempt == 2 else "500"
    with pytest.raises(ReadFailed, match=r"500: the engine is dead \(tried 5 times\)"):
        codec.decode(token)
    assert pauses == [0.375, 0.75, 7.0, 3.0]


@pytest.mark.parametrize("api", ["openai", "vllm", "sglang"])
def test_requests_are_as_the_servers_document(server: Server, load: LoadCodec, api: str) -> None:
    server.api = api
    codec = load(server.url, server=api)
    codec.decode(tokens_of(codec, pages_of(codec, 1)))
    assert server.rejected == []


def test_costs_are_counted(server: Server, load: LoadCodec) -> None:
    codec = load(server.url, prompt_price=2.0, completion_price=10.0)
    codec.decode(tokens_of(codec, pages_of(codec, 3)))
    usage = codec.usage
    assert (usage.requests, usage.pages, usage.prompt_tokens) == (3, 3, 900)
    assert usage.completion_tokens > 100
    assert usage.cost == pytest.approx((900 * 2 + usage.completion_tokens * 10) / 1e6)
    assert usage.seconds > 0


def test_an_empty_page_costs_no_request(server: Server, load: LoadCodec) -> None:
    codec = load(server.url)
    empty = render(np.zeros((8, 160), np.uint32), codec.layout, "small")
    reading = codec.decode(codec.encode([empty], "small"))[0]
    assert reading.text == ""
    assert codec.usage.requests == 0


def test_a_text_that_loops_or_ends_early_counts_as_unread(server: Server, load: LoadCodec) -> None:
    codec = load(server.url)
    page = sample_page(codec)
    token = tokens_of(codec, [page])
    server.answer = lambda answer: completion("".join(t for t, _ in answer)[:300] + " and so on" * 900, finish="length")
    loop = codec.decode(token)[0]
    server.answer = lambda answer: completion("".join(t for t, _ in answer)[:300])
    early = codec.decode(token)[0]
    for reading in (loop, early):
        assert reading.unread
        assert reading.text.startswith(page.text[:250])
        assert reading.mean_confidence < 0.5
    assert "so on and so on and" not in loop.text


def test_default_confidence_applies_without_log_probabilities(server: Server, load: LoadCodec) -> None:
    codec = load(server.url, default_confidence=0.85)
    server.answer = lambda answer: completion("".join(text for text, _ in answer))
    reading = codec.decode(tokens_of(codec, [sample_page(codec)]))[0]
    assert reading.confidence[reading.cells > 0x20].max() == pytest.approx(0.85)


def test_pages_of_another_grid_are_rejected_without_a_request(server: Server, load: LoadCodec) -> None:
    dense, wide = load(server.url), load(server.url, columns=80)
    tokens = tokens_of(wide, pages_of(wide, 1))
    with pytest.raises(TokensError, match="the option 'columns'"):
        dense.decode(tokens)
    good = tokens_of(dense, pages_of(dense, 1))
    first, second = dense.decode_each([*tokens, *good])
    assert isinstance(first, TokensError)
    assert not isinstance(second, CodecError)
    damaged = replace(good[0], data=good[0].data[:200])
    assert isinstance(dense.decode_each([damaged])[0], TokensError)
    assert server.attempts.total() == 1


def test_tesseract_behind_the_server_reads_printed_pages(served: Callable[[Model], Server], load: LoadCodec) -> None:
    server = served(TesseractModel())
    codec = load(server.url, columns=80)
    assert list(codec.tiers) == list(all_tiers())
    page = sample_page(codec, 6)
    reading = codec.decode(tokens_of(codec, [page], "large"))[0]
    assert accuracy(page.text, reading.text) > 0.9
    assert not reading.unread
    assert server.rejected == []
