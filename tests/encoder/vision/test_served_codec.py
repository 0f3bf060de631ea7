"""Stored tokens of DeepSeek-OCR decoded by a server: over HTTP, as vLLM documents it, by a model that goes on from the
embeddings it is sent. The weights are random and the same on both sides."""

import base64
import binascii
import json
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.endpoint_server import Pauses

from foxing.encoder import (
    CodecError,
    CodecOptions,
    DownscalableCodec,
    ReadFailed,
    RemoteCodec,
    RemoteOptions,
    TokensError,
    VisionTokens,
    load_codec,
)
from foxing.encoder.conformance import CHECKS, READING_CHECKS, sample_page
from foxing.encoder.diagnostics import check_codec
from foxing.encoder.remote.completions import Completion
from foxing.encoder.remote.endpoint import CLOSED, Endpoint
from foxing.encoder.remote.responses import LONGEST, BadAnswer
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.deepseek import DeepSeekOcr
from foxing.encoder.vision.generation import Written
from foxing.encoder.vision.loading import locate, transformers, weights_digest
from foxing.encoder.vision.model import Given
from foxing.encoder.vision.remote_decoding import ServedVisionCodec, as_written
from foxing.memory import Memory
from foxing.memory.lifecycle import rewrite as rewriting
from foxing.renderer import PageLayout, render

MODEL = "deepseek-ai/DeepSeek-OCR"
KEY = "correct-horse-battery"
FIELDS = {
    *("model", "prompt", "prompt_embeds", "temperature", "max_tokens", "logprobs", "return_tokens_as_token_ids"),
    *("skip_special_tokens", "stream", "vllm_xargs"),
}
START = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


class Engine:
    """A model that knows embeddings alone: greedy, with the logits processor that vLLM has for DeepSeek-OCR, and
    log-probabilities as they were before it."""

    def __init__(self, folder: Path) -> None:
        self.model = DeepSeekOcr.load(locate(str(folder), None), torch.device("cpu"), torch.float32)
        self._lock = threading.Lock()

    @torch.inference_mode()
    def complete(self, embeddings: torch.Tensor, body: dict[str, Any]) -> tuple[list[int], list[torch.Tensor], str]:
        """The ids that were chosen, the log-probabilities at each step, and why it ended."""
        extra = body["vllm_xargs"]

        def block(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            banned = self._banned(ids[0].tolist(), extra["ngram_size"], extra["window_size"])
            scores = scores.clone()
            scores[0, banned] = -torch.inf
            return scores

        with self._lock:
            done = self.model.network.generate(
                inputs_embeds=embeddings[None],
                attention_mask=torch.ones(1, len(embeddings), dtype=torch.long),
                generation_config=transformers().GenerationConfig(
                    do_sample=False,
                    max_new_tokens=body["max_tokens"],
                    eos_token_id=sorted(self.model.end_ids),
                    pad_token_id=1,
                    output_logits=True,
                    return_dict_in_generate=True,
                ),
                logits_processor=transformers().LogitsProcessorList([block]),
            )
        ids = done.sequences[0].tolist()
        told = [scores[0].float().log_softmax(-1) for scores in done.logits]
        return ids, told, "stop" if ids[-1] in self.model.end_ids else "length"

    @staticmethod
    def _banned(ids: Sequence[int], size: int, window: int) -> list[int]:
        if len(ids) < size:
            return []
        starts = range(max(0, len(ids) - window), len(ids) - size + 1)
        return [ids[n + size - 1] for n in starts if list(ids[n : n + size - 1]) == list(ids[len(ids) - size + 1 :])]


@dataclass
class Server:
    """`fault`: (which request of this page it is, counted from 0) → the fault, "" for none; `embeds`: whether it was
    started with --enable-prompt-embeds; `by_ids`: whether it names tokens by their ids; `end`: whether it tells the
    token that ended a text; `answer`: puts other words into its mouth."""

    engine: Engine
    url: str = ""
    fault: Callable[[int], str] = lambda attempt: ""
    embeds: bool = True
    by_ids: bool = True
    end: bool = True
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document
    tries: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        """What vLLM answers. Raises `ValueError` for what it would refuse."""
        if set(body) != FIELDS or body["prompt"] or body["stream"] or body["logprobs"] != 1 or body["temperature"]:
            raise ValueError(f"unexpected fields {sorted(set(body) ^ FIELDS)}")
        if not self.embeds:
            raise ValueError("You must set `--enable-prompt-embeds` to input `prompt_embeds`.")
        blob = base64.b64decode(body["prompt_embeds"], validate=True)
        embeddings = torch.load(BytesIO(blob), weights_only=True)
        if embeddings.ndim != 2 or embeddings.shape[1] != self.engine.model.shape("tiny")[2]:
            raise ValueError("prompt_embeds must be of shape (seq_len, hidden_size).")
        ids, told, reason = self.engine.complete(embeddings, body)
        shown = ids[:-1] if reason == "stop" else ids
        text = self.engine.model.tokenizer.decode(shown, skip_special_tokens=body["skip_special_tokens"])
        listed = ids if self.end else shown
        logprobs: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        offset = 0
        for token, at in zip(listed, told, strict=False):
            logprobs["tokens"].append(self.name(token))
            logprobs["token_logprobs"].append(float(at[token]))
            logprobs["top_logprobs"].append({self.name(n): float(at[n]) for n in {token, int(at.argmax())}})
            logprobs["text_offset"].append(offset)
            offset += len(logprobs["tokens"][-1])
        counts = {"prompt_tokens": len(embeddings), "completion_tokens": len(ids)}
        return {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": MODEL,
            "choices": [{"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason, "stop_reason": None}],
            "usage": {**counts, "total_tokens": sum(counts.values())},
        }

    def name(self, token: int) -> str:
        if self.by_ids:
            return f"token_id:{token}"
        return str(self.engine.model.tokenizer.decode([token], skip_special_tokens=False))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_POST(self) -> None:
        state: Server = self.server.state
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state.bodies.append(body)
        if self.path.partition("?")[0] != "/v1/completions":
            return self._send(404, {"detail": "Not Found"})
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self._send(401, {"error": "Unauthorized"})
        attempt = state.tries[body["prompt_embeds"]]
        state.tries[body["prompt_embeds"]] += 1
        fault = state.fault(attempt)
        if fault == "stall":
            state.stopped.wait(30)
            self.close_connection = True
            return None
        if fault:
            return self._send(int(fault), {"error": {"message": "EngineCore died", "code": int(fault)}})
        try:
            document = state.completion(body)
        except (ValueError, KeyError, binascii.Error) as error:
            refusal = {"message": str(error), "type": "BadRequestError", "param": None, "code": 400}
            return self._send(400, {"error": refusal})
        return self._send(200, state.answer(document))

    def _send(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def engine(deepseek_folder: Path) -> Engine:
    return Engine(deepseek_folder)


@pytest.fixture
def server(engine: Engine) -> Iterator[Server]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(engine, url=f"http://127.0.0.1:{http.server_port}/v1")
    http.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield state
    state.stopped.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(scope="module")
def here(deepseek_folder: Path, small_page: PageLayout) -> VisionCodec:
    place = locate(str(deepseek_folder), None)
    model = DeepSeekOcr.load(place, torch.device("cpu"), torch.float32)
    return VisionCodec(model, weights_digest(place), layout=small_page)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


Open = Callable[..., ServedVisionCodec]


@pytest.fixture
def served(here: VisionCodec, server: Server, pauses: Pauses) -> Iterator[Open]:
    """Opens codecs over the same model that the server decodes for; they are closed at the end."""
    opened: list[ServedVisionCodec] = []

    def open_one(layout: PageLayout | None = None, **options: Any) -> ServedVisionCodec:
        given = {"url": server.url, "model": MODEL, "api_key": KEY, "timeout_s": 20.0, "concurrency": 4, **options}
        endpoint = Endpoint(RemoteOptions(**given), pauses.timing)
        opened.append(ServedVisionCodec(here.model, here.weights, endpoint, layout=layout or here.layout))
        return opened[-1]

    yield open_one
    for codec in opened:
        codec.close()


@pytest.fixture(scope="module")
def tokens(here: VisionCodec) -> list[VisionTokens]:
    """Two different pages at each of three tiers."""
    page = sample_page(here)
    tiers = ("base", "small", "tiny")
    shifted = [np.roll(page.cells, shift, axis=1) for shift in (0, 3)]
    return [item for tier in tiers for item in here.encode([render(c, page.layout, tier) for c in shifted], tier)]


def same(one: Written, other: Written) -> None:
    assert one.text == other.text
    assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
    assert (one.looped == other.looped).all()
    assert one.ending == other.ending
    assert one.ended == pytest.approx(other.ended, abs=1e-4)


def test_what_the_server_writes_is_what_is_written_here(
    here: VisionCodec, served: Open, server: Server, tokens: list[VisionTokens]
) -> None:
    codec = served()
    expected = here.write(tokens)
    assert len({written.text for written in expected}) > 1
    for written, other in zip(codec.write(tokens), expected, strict=True):
        same(written, other)
    for reading, local in zip(codec.decode(tokens), here.decode(tokens), strict=True):
        assert (reading.cells == local.cells).all()
        assert reading.confidence == pytest.approx(local.confidence, abs=1e-4)
        assert reading.tier == local.tier
    assert (codec.name, codec.weights, codec.tiers) == (here.name, here.weights, here.tiers)
    longest = max(len(base64.b64decode(body["prompt_embeds"])) for body in server.bodies)
    assert longest < 4 * 32 * (273 + 20) + 4096
    assert server.bodies[0]["max_tokens"] == codec.bound
    assert server.bodies[0]["vllm_xargs"] == {"ngram_size": 35, "window_size": codec.bound}
    usage = codec.usage
    assert (usage.requests, usage.failures, usage.pages) == (2 * len(tokens), 0, len(tokens))
    assert usage.prompt_tokens > 2 * sum(here.model.positions(item.tier) for item in tokens)
    assert codec.write(tokens[:1], "markdown")[0].text == here.write(tokens[:1], "markdown")[0].text


@pytest.mark.parametrize("ngram", [2, 3])
def test_a_text_that_repeats_itself_is_stopped_where_it_would_be_here(
    here: VisionCodec, served: Open, tokens: list[VisionTokens], monkeypatch: pytest.MonkeyPatch, ngram: int
) -> None:
    monkeypatch.setattr(here.model, "ngram", ngram)
    monkeypatch.setattr(here, "bound", 400)
    codec = served()
    codec.bound = 400
    expected = here.write(tokens)
    assert "loop" in {written.ending for written in expected}
    for written, other in zip(codec.write(tokens), expected, strict=True):
        same(written, other)


def test_an_end_that_the_server_keeps_to_itself_is_an_end(
    here: VisionCodec, served: Open, server: Server, tokens: list[VisionTokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = served()
    codec.write(tokens[:1])
    ids = Completion.of(server.completion(server.bodies[-1])).ids
    assert ids is not None
    monkeypatch.setattr(DeepSeekOcr, "end_ids", frozenset({ids[5]}))  # another token ends a text
    expected = here.write(tokens[:1])[0]
    assert expected.ending == "end"
    same(codec.write(tokens[:1])[0], expected)
    server.end = False
    written = codec.write(tokens[:1])[0]
    assert (written.text, written.ending) == (expected.text, "end")
    assert written.ended == pytest.approx(0.9)


def test_tokens_that_are_not_named_by_ids_give_the_same_text(
    here: VisionCodec, served: Open, server: Server, tokens: list[VisionTokens]
) -> None:
    server.by_ids = False
    plain = [item for item in tokens if here.write([item])[0].text.isascii()] or tokens[:1]
    codec = served()
    for item in plain:
        expected = here.write([item])[0]
        written = codec.write([item])[0]
        assert written.text == expected.text
        assert written.ending == expected.ending
    server.answer = lambda document: {**document, "choices": [{**document["choices"][0], "logprobs": None}]}
    assert codec.write(plain[:1])[0].confidence == pytest.approx(0.9)


def completion(ids: Sequence[int], probability: float = 0.5, **fields: Any) -> Completion:
    names = [f"token_id:{token}" for token in ids]
    logprobs = {"tokens": names, "token_logprobs": [math.log(probability)] * len(ids)}
    return Completion.of({"choices": [{"text": "", "logprobs": logprobs, **fields}]})


def test_a_loop_of_a_server_without_the_logits_processor_is_no_text(here: VisionCodec) -> None:
    ids = here.model.ids("Read this. ") + here.model.ids("again and again. ") * 20
    written = as_written(here.model, completion(ids, finish_reason="length"), 0.9)
    assert written.ending == "loop"
    assert written.text.startswith("Read this. again and again. ")
    assert not written.looped[:10].any()
    assert written.looped[-20:].all()
    assert written.confidence[:10] == pytest.approx(0.5)


def test_failing_and_stalling_calls_are_tried_again(
    here: VisionCodec, served: Open, server: Server, tokens: list[VisionTokens], pauses: Pauses
) -> None:
    server.fault = lambda attempt: ("500", "stall", "503", "")[min(attempt, 3)]
    codec = served(timeout_s=3.0, concurrency=6)
    readings = codec.decode_each(tokens[4:])
    for reading, other in zip(readings, here.decode(tokens[4:]), strict=True):
        assert not isinstance(reading, CodecError), reading
        assert (reading.cells == other.cells).all()
    assert set(server.tries.values()) == {4}
    assert (codec.usage.failures, codec.usage.pages) == (3 * len(readings), len(readings))
    assert len(pauses) == 3 * len(readings)


def test_a_page_that_fails_does_not_fail_the_others(
    here: VisionCodec, served: Open, server: Server, tokens: list[VisionTokens]
) -> None:
    codec = served(retries=0, concurrency=1)
    assert isinstance(codec, RemoteCodec)
    assert not isinstance(codec, DownscalableCodec), "vision tokens are no image that a lower tier could be made of"
    assert not isinstance(here, RemoteCodec)
    faults = iter(["", "500", ""])
    server.fault = lambda attempt: next(faults)
    foreign = replace(tokens[4], weights="0123456789ab")
    first, failed, refused, last = codec.decode_each([tokens[4], tokens[5], foreign, tokens[2]])
    assert isinstance(failed, ReadFailed)
    assert "500: EngineCore died" in str(failed)
    assert isinstance(refused, TokensError)
    for reading, item in ((first, tokens[4]), (last, tokens[2])):
        assert not isinstance(reading, CodecError)
        assert (reading.cells == here.decode([item])[0].cells).all()
    assert (codec.usage.pages, codec.usage.pages_failed) == (2, 1)


def test_a_server_without_prompt_embeddings_is_named(served: Open, server: Server, tokens: list[VisionTokens]) -> None:
    server.embeds = False
    with pytest.raises(ReadFailed, match=r"400: You must set .*start vLLM with --enable-prompt-embeds .*DECODER=here"):
        served().decode(tokens[:1])
    assert len(server.bodies) == 1, "asking again would not help"
    server.embeds = True
    counted = {"prompt_tokens": 1, "completion_tokens": 4}
    server.answer = lambda document: {**document, "usage": counted}
    with pytest.raises(ReadFailed, match=r"read a prompt of 1 tokens, not the 2\d\d embeddings"):
        served().decode(tokens[:1])
    with pytest.raises(ReadFailed, match="FOXING_REMOTE_API_KEY"):
        served(api_key="another").decode(tokens[:1])
    server.answer = lambda document: {"choices": [{"message": {"content": "a chat"}}]}
    with pytest.raises(ReadFailed, match="no completion"):
        served(retries=0).decode(tokens[:1])


def instead(**fields: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Words in the mouth of a server: the choice of its answer with other fields."""
    return lambda document: {**document, "choices": [{**document["choices"][0], **fields}]}


@pytest.mark.parametrize(
    ("fields", "tries", "said"),
    [
        ({"text": None, "logprobs": None, "finish_reason": None}, 2, "answered nothing"),
        ({"text": " \n", "logprobs": None, "finish_reason": "length"}, 2, "answered nothing"),
        ({"text": " \n", "logprobs": None, "finish_reason": "stop"}, 1, "wrote no text"),
        ({"text": "half", "finish_reason": "content_filter"}, 2, "content filter"),
        ({"text": "half", "finish_reason": "error"}, 4, "broke off"),
        ({"text": "half", "finish_reason": "abort"}, 4, "broke off: abort"),
    ],
)
def test_no_answer_is_no_reading(
    served: Open, server: Server, tokens: list[VisionTokens], fields: dict[str, Any], tries: int, said: str
) -> None:
    server.answer = instead(**fields)
    (failed,) = served(retries=3).decode_each(tokens[4:5])
    assert isinstance(failed, ReadFailed)
    assert said in str(failed)
    assert len(server.bodies) == tries


def test_a_text_that_ends_at_once_is_no_reading_of_a_page(
    here: VisionCodec, served: Open, server: Server, tokens: list[VisionTokens]
) -> None:
    name = server.name(min(here.model.end_ids))
    logprobs = {"tokens": [name], "token_logprobs": [-0.1], "top_logprobs": [{name: -0.1}]}
    server.answer = instead(text="", logprobs=logprobs)
    codec = served()
    (failed,) = codec.decode_each(tokens[4:5])
    assert isinstance(failed, ReadFailed)
    assert f"{server.url} wrote no text" in str(failed)
    assert (codec.usage.pages, codec.usage.pages_failed) == (0, 1)
    written = codec.write(tokens[4:5], "describe")[0]
    assert (written.text, written.ending) == ("", "end"), "to another question it is an answer"


def test_numbers_that_are_none_are_not_believed(here: VisionCodec) -> None:
    ids = here.model.ids("Read this.")
    for wrong in (math.nan, math.inf):
        told = completion(ids)
        names, numbers = list(told.tokens), [wrong, *told.logprobs[1:]]
        tops = [{name: number, "token_id:1": wrong} for name, number in zip(names, numbers, strict=True)]
        logprobs = {"tokens": names, "token_logprobs": numbers, "top_logprobs": tops}
        odd = Completion.of({"choices": [{"text": "Read this.", "logprobs": logprobs}]})
        written = as_written(here.model, odd, 0.9)
        assert written.text == "Read this."
        assert written.confidence == pytest.approx(0.9)
        assert odd.answer.sure is None
    for usage in ({"prompt_tokens": math.inf}, {"completion_tokens": -1}, {"prompt_tokens": 1e300}):
        with pytest.raises(BadAnswer):
            Completion.of({"choices": [{"text": "a"}], "usage": usage})
    with pytest.raises(BadAnswer):
        Completion.of({"choices": [{"text": "a", "logprobs": {"tokens": ["a"], "token_logprobs": [10**400]}}]})
    for token in (-1, 1 << 40):
        assert completion([token]).ids is None


def test_an_answer_that_never_ends_is_cut() -> None:
    names = ["token_id:5"] * (2 * LONGEST)
    logprobs = {"tokens": names, "token_logprobs": [-0.5] * len(names)}
    whole = Completion.of({"choices": [{"text": "a" * (2 * LONGEST), "logprobs": logprobs, "finish_reason": "stop"}]})
    assert (len(whole.text), len(whole.tokens), whole.cut) == (LONGEST, LONGEST, True)


def test_what_nobody_expected_and_a_lack_of_memory_fail_a_page_alone(
    here: VisionCodec, served: Open, tokens: list[VisionTokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = served(api_key=KEY)
    given = here.model.prompt_embeddings
    faults: list[Exception | None] = [RuntimeError(f"odd {KEY}"), torch.OutOfMemoryError("no"), None]

    def embeddings(page: Given, prompt: str) -> torch.Tensor:
        fault = faults[[item.tier for item in tokens[::2]].index(page.tier)]
        if fault is not None:
            raise fault
        return given(page, prompt)

    monkeypatch.setattr(here.model, "prompt_embeddings", embeddings)
    odd, short, fine = codec.decode_each(tokens[::2])
    assert isinstance(odd, ReadFailed)
    assert str(odd) == "the page could not be read: RuntimeError: odd [hidden]; report this"
    assert isinstance(short, ReadFailed)
    assert "too little memory for a single page" in str(short)
    assert not isinstance(fine, CodecError)
    assert (codec.usage.pages, codec.usage.pages_failed) == (1, 2)


def test_secrets_of_the_address_are_not_shown(served: Open, server: Server, tokens: list[VisionTokens]) -> None:
    url = server.url.replace("://", "://ana:open-sesame@") + "/completions?sig=very-secret"
    codec = served(url=url, api_key=None, retries=0)
    assert codec.runs_on()["decoded by"] == f"{MODEL} at {server.url}"
    server.answer = lambda document: {"error": {"message": f"no {url}", "code": 400}}
    failures = [*codec.decode_each(tokens[4:5]), *served(url=url, retries=0).decode_each(tokens[4:5])]
    for failure in failures:
        assert isinstance(failure, ReadFailed)
        assert "open-sesame" not in str(failure)
        assert "very-secret" not in str(failure)


def test_closing_cuts_off_what_is_read_and_asking_again_opens_it(
    here: VisionCodec, served: Open, server: Server, tokens: list[VisionTokens]
) -> None:
    codec = served(concurrency=1)
    server.fault = lambda attempt: "" if attempt else "stall"
    results: list[Any] = []
    asker = threading.Thread(target=lambda: results.extend(codec.decode_each(tokens[4:])))
    asker.start()
    while not server.bodies:
        threading.Event().wait(0.01)
    codec.close()
    asker.join(10)
    assert not asker.is_alive()
    assert [str(result) for result in results] == [CLOSED, CLOSED]
    (reading,) = codec.decode_each(tokens[4:5])
    assert not isinstance(reading, CodecError)


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check not in READING_CHECKS], ids=lambda check: check.__name__
)
def test_conformance_where_a_server_decodes(served: Open, check: Callable[[Any], None]) -> None:
    check(served())


def test_the_check_tells_what_the_server_counted(served: Open, server: Server) -> None:
    checked = check_codec(served())
    assert [row.prompt_tokens for row in checked.tiers] == [n + 11 for n in (421, 273, 111, 73)]
    assert checked.runs_on["decoded by"] == f"{MODEL} at {server.url}"


def test_the_decoder_is_a_setting(deepseek_folder: Path, server: Server) -> None:
    remote = RemoteOptions(url=server.url, model=MODEL, api_key=KEY)
    options = CodecOptions(model=str(deepseek_folder), decoder="remote", remote=remote)
    codec = load_codec("deepseek-ocr", "cpu", options=options)
    assert isinstance(codec, ServedVisionCodec)
    codec.close()
    assert load_codec("native", "cpu", options=options).name == "native"  # it reads its own pages as ever
    with pytest.raises(CodecError, match="FOXING_REMOTE_URL"):
        load_codec("deepseek-ocr", "cpu", options=replace(options, remote=RemoteOptions(model=MODEL)))
    for name in ("got-ocr2", "qwen-vl"):
        with pytest.raises(CodecError, match=f"{name} cannot be decoded by a server.*FOXING_CODEC_DECODER=here"):
            load_codec(name, "cpu", options=options)
    with pytest.raises(CodecError, match="FOXING_CODEC_DECODER must be one of here, remote"):
        CodecOptions(decoder="elsewhere")


def test_a_bank_changes_its_decoder_without_reencoding(
    here: VisionCodec, served: Open, server: Server, database_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What random weights write does not matter here: it is the same from both."""
    monkeypatch.setattr(rewriting, "UNREAD_SHARE", 1.0)  # they are sure of nothing, which keeps a page from ageing
    font: Any = "dejavu-sans-mono"
    layout = PageLayout(40, 20, cell_width_px=32, cell_height_px=64, newline="break", font=font, cropped=False)
    wide = VisionCodec(here.model, here.weights, layout=layout)
    wide.bound = 60
    clock = [START + timedelta(hours=1)]
    with Memory(database_path, codec=wide, clock=lambda: clock[0]) as memory:
        memory.store("ana", [{"role": "user", "content": "The invoice went to the harbour.", "created_at": START}])
        memory.seal("ana")
        clock[0] += timedelta(days=8)
        assert [move.to_tier for move in memory.age("ana").moved] == ["small"]
        page = memory.pages("ana").pages[0].id
        read, stored = memory.read_page("ana", page), memory.page_tokens("ana", page)
    codec = served(layout, retries=0)
    codec.bound = 60
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        assert memory.page_tokens("ana", page) == stored
        assert memory.read_page("ana", page).text == read.text
        assert codec.usage.pages == 1
        clock[0] += timedelta(days=30)
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        server.fault = lambda attempt: "500"
        report = memory.age("ana")
        assert (report.moved, memory.pages("ana").pages[0].tier) == ([], "small"), "it waits until it can be read"
    with Memory(database_path, codec=codec, clock=lambda: clock[0]) as memory:
        server.fault = lambda attempt: ""
        assert [move.to_tier for move in memory.age("ana").moved] == ["tiny"]
