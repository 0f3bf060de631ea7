"""The parts of the remote codec that need no server: requests, answers, and tokens that are an image."""

import base64
import math
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from time import process_time
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_safetensors

from foxing.encoder import CodecError, RemoteOptions, TokensError, VisionTokens
from foxing.encoder.alignment import without_markup
from foxing.encoder.conformance import sample_page
from foxing.encoder.remote.codec import EndpointCodec
from foxing.encoder.remote.options import PROMPTS, Server
from foxing.encoder.remote.requests import NGRAM, chat_request, prompt_embeds_request
from foxing.encoder.remote.responses import LONGEST, Answer, BadAnswer, NoReading, loop_start
from foxing.encoder.tokens import png_bytes
from foxing.renderer import PageLayout, render

OPTIONS = RemoteOptions(url="http://127.0.0.1:9/v1", model="reader")
WORDS = "The delivery on 3 May is late by two days. 점심 먹자, said Dr. Keller; 17-24 pallets arrive before Whitsun."


@pytest.fixture(scope="module")
def codec() -> EndpointCodec:
    return EndpointCodec.load(OPTIONS)


def completion(content: Any, logprobs: Any = None, finish: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    if logprobs is not None:
        choice["logprobs"] = {"content": logprobs}
    return {"choices": [choice], "usage": {"prompt_tokens": 120, "completion_tokens": 7}}


def token(text: str, probability: float) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(probability), "bytes": list(text.encode())}


# requests


@pytest.mark.parametrize(
    ("server", "extras"),
    [
        ("openai", {}),
        ("vllm", {"skip_special_tokens": False, "vllm_xargs": NGRAM}),
        ("sglang", {"skip_special_tokens": False, "custom_params": NGRAM}),
    ],
)
def test_a_request_is_what_the_server_documents(server: Server, extras: dict[str, Any]) -> None:
    options = RemoteOptions(url="http://x/v1", model="reader", server=server, prompt="free-ocr")
    body = chat_request(options, b"PNG", 300)
    url = "data:image/png;base64," + base64.b64encode(b"PNG").decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Free OCR."}]
    assert body == {
        "model": "reader",
        "messages": [{"role": "user", "content": content}],
        "temperature": 0.0,
        "max_tokens": 300,
        "logprobs": True,
        "stream": False,
        **extras,
    }


def test_fields_can_be_added_and_taken_out() -> None:
    extra = {"logprobs": None, "max_tokens": None, "max_completion_tokens": 9000}
    body = chat_request(RemoteOptions(url="http://x", model="m", prompt="Read it.", extra=extra), b"", 1)
    assert "logprobs" not in body
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 9000
    assert body["messages"][0]["content"][1]["text"] == "Read it."
    assert "transcribe" in PROMPTS


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_prompt_embeddings_arrive_as_they_were_and_nothing_of_their_storage_with_them(dtype: torch.dtype) -> None:
    storage = torch.randn(4096, 1280).to(dtype)
    prompt = storage[7:18]
    body = prompt_embeds_request("deepseek-ai/DeepSeek-OCR", prompt, 512, 35, {"seed": 1})
    blob = base64.b64decode(body["prompt_embeds"], validate=True)
    read = torch.load(BytesIO(blob), weights_only=True)
    assert read.dtype == dtype
    assert read.shape == (11, 1280)
    assert torch.equal(read, prompt)
    assert len(blob) < prompt.numel() * prompt.element_size() + 4096
    assert {name: body[name] for name in ("model", "prompt", "max_tokens", "temperature", "logprobs", "seed")} == {
        "model": "deepseek-ai/DeepSeek-OCR",
        "prompt": "",
        "max_tokens": 512,
        "temperature": 0.0,
        "logprobs": 1,
        "seed": 1,
    }
    assert body["vllm_xargs"] == {"ngram_size": 35, "window_size": 512}


@pytest.mark.parametrize(
    "tensor", [torch.zeros(2, 3, 4), torch.zeros(5), torch.zeros(0, 1280), torch.zeros(3, 4, dtype=torch.int64)]
)
def test_prompt_embeddings_that_the_server_would_refuse_are_not_sent(tensor: torch.Tensor) -> None:
    with pytest.raises(CodecError, match="prompt embeddings"):
        prompt_embeds_request("m", tensor, 10, 35)


# answers


def test_a_character_is_as_sure_as_the_least_sure_token_with_a_byte_of_it() -> None:
    whole = token("점심", 0.75)["bytes"]
    halves = [
        {"token": "\\xec", "logprob": math.log(0.9), "bytes": whole[:4]},
        {"token": "\\x8b", "logprob": math.log(0.5), "bytes": whole[4:]},
    ]
    answer = Answer.of(completion("two 점심", [token("two", 0.25), token(" ", 1.0), *halves]))
    assert answer.sure is not None
    assert answer.sure.tolist() == pytest.approx([0.25, 0.25, 0.25, 1.0, 0.9, 0.5])
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cut) == (120, 7, False)


def test_special_tokens_and_fences_are_no_text() -> None:
    logprobs = [token("```text\n", 0.5), token("a b", 0.75), token("\n```", 0.5), token("<|im_end|>", 1.0)]
    for content in (
        "```text\na b\n```",
        "```text\na b\n```<|im_end|>",
        "<|assistant|>\n```\na b\n```\n<｜end▁of▁sentence｜>",
    ):
        assert Answer.of(completion(content)).text == "a b"
    answer = Answer.of(completion("```text\na b\n```", logprobs))
    assert answer.sure is not None
    assert answer.sure.tolist() == pytest.approx([0.75] * 3)
    assert Answer.of(completion([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])).text == "ab"


def test_without_log_probabilities_nothing_is_said_about_confidence() -> None:
    for logprobs in (None, [], "no", [{"token": "a"}], [{"token": "a", "logprob": "high"}]):
        assert Answer.of(completion("a", logprobs)).sure is None
    for logprob in (math.nan, math.inf, 10**400):
        assert Answer.of(completion("a", [{"token": "a", "logprob": logprob}])).sure is None
    assert Answer.of(completion("a", [{"token": "a", "logprob": -0.5, "bytes": 1 << 40}])).sure is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"choices": []},
        {"choices": [{"message": {}}]},
        completion(7),
        *({**completion("a"), "usage": {"prompt_tokens": tokens}} for tokens in (math.inf, math.nan, 10**400, -1, "x")),
    ],
)
def test_what_is_no_chat_completion_is_refused(document: Any) -> None:
    with pytest.raises(BadAnswer) as caught:
        Answer.of(document)
    assert not isinstance(caught.value, NoReading)


@pytest.mark.parametrize(
    ("content", "finish", "refusal", "said"),
    [
        (None, "stop", None, r"answered nothing, though the page is not empty \(it ended by 'stop' after 7 tokens\)"),
        (" \n ", "length", None, "answered nothing.*'length'.*FOXING_REMOTE_MAX_TOKENS"),
        ("```\n```<|im_end|>", "stop", None, "answered nothing"),
        ("half of the pa", "content_filter", None, "its content filter stopped"),
        (None, "stop", "I cannot read\n private letters.", "refuses to read the page: I cannot read private letters"),
    ],
)
def test_no_answer_is_no_reading(content: str | None, finish: str, refusal: str | None, said: str) -> None:
    document = completion(content, finish=finish)
    document["choices"][0]["message"]["refusal"] = refusal
    with pytest.raises(NoReading, match=said) as caught:
        Answer.of(document)
    assert caught.value.told
    broken = completion("half")
    broken["choices"][0] |= {"finish_reason": "error", "error": {"message": "upstream"}}
    with pytest.raises(NoReading, match=r"broke off.*upstream"):
        Answer.of(broken)


def test_a_loop_is_found_where_it_begins_to_repeat() -> None:
    assert loop_start("It began well." + " and so on" * 40) == len("It began well. and so on")
    assert loop_start("ok " + "0" * 500) == len("ok 0")
    assert loop_start(WORDS) is None
    assert loop_start("ha ha ha ha") is None
    assert loop_start("") is None


@contextmanager
def soon(seconds: float) -> Iterator[None]:
    """What takes more than proportionally long takes far longer than this."""
    begun = process_time()
    yield
    assert process_time() - begun < seconds


@pytest.mark.parametrize(
    "endless", [" ", "\n", " <|im_end|>", "<|im_end|> ", "<|det|>[[1, 2]]<", "<|im", "```\n", "x\n"]
)
def test_an_answer_of_megabytes_is_cut_and_costs_no_more_than_others(endless: str) -> None:
    content = "Hello" + endless * (4_000_000 // len(endless)) + "."
    with soon(2.0):
        answer = Answer.of(completion(content))
        without_markup(answer.text, np.ones(len(answer.text), dtype=np.float32))
    assert answer.text.startswith("Hello")
    assert (len(answer.text) <= LONGEST, answer.cut) == (True, True)


def test_special_tokens_go_with_the_blanks_between_them_and_only_at_the_ends() -> None:
    answer = Answer.of(completion("<|a|>\n <|b|> one <|c|> two\n<|d|>\n\n<｜e｜> \n"))
    assert answer.text == "one <|c|> two"
    assert Answer.of(completion("<|a|>x" + " <|b|>" * 5000)).text == "x"
    assert Answer.of(completion("  two\n")).text == "  two\n"
    placed = "<|ref|>one<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>"
    assert Answer.of(completion(placed + "<|im_end|>")).text == placed


def test_confidence_is_found_for_an_answer_that_is_cut() -> None:
    logprobs = [token("점심 ", 0.5)] * LONGEST
    answer = Answer.of(completion("점심 " * LONGEST, logprobs))
    assert answer.cut
    assert answer.sure is not None
    assert answer.sure.tolist() == pytest.approx([0.5] * len(answer.text))


# tokens that are an image


def test_tokens_that_are_an_image_come_back_from_their_bytes_and_can_be_cut(codec: EndpointCodec) -> None:
    page = sample_page(codec)
    image = render(page.cells, codec.layout, "small")
    tokens = codec.encode([image], "small")[0]
    assert VisionTokens.from_bytes(tokens.to_bytes()) == tokens
    assert np.abs(np.asarray(tokens.image()).astype(int) - np.asarray(image)).max() <= 8
    parts = [tokens.crop(row, row + 1) for row in range(tokens.shape[0])]
    assert (
        np.concatenate([np.asarray(part.image()) for part in parts]).tobytes() == np.asarray(tokens.image()).tobytes()
    )
    assert load_safetensors(tokens.to_safetensors())["image"].tobytes() == tokens.data


def test_tokens_that_claim_to_be_an_image_and_are_none_are_refused() -> None:
    with pytest.raises(TokensError, match="one number each"):
        VisionTokens("remote", "png-80x40", "small", (1, 10, 2), "png", b"x")
    with pytest.raises(TokensError, match="one number each"):
        VisionTokens("remote", "png-80x40", "small", (1, 10, 1), "png", b"")
    for data in (b"x", png_bytes(render(np.zeros((4, 80), np.uint32), PageLayout(80, 40), "small"))[:-30]):
        with pytest.raises(TokensError, match="cannot be read"):
            VisionTokens("remote", "png-80x40", "small", (1, 10, 1), "png", data).image()
    with pytest.raises(TokensError, match="not an image"):
        VisionTokens("native", "w", "small", (1, 10, 1), "uint8", bytes(10)).image()


def test_a_lower_tier_is_made_of_the_image_alone(codec: EndpointCodec) -> None:
    page = sample_page(codec, 5)
    before = codec.encode([render(page.cells, codec.layout, "large")], "large")
    after = codec.lower(before, "tiny", [page.rows_used])[0]
    drawn = codec.encode([render(page.cells, codec.layout, "tiny")], "tiny")[0]
    assert after.shape == drawn.shape
    assert np.abs(np.asarray(after.image()).astype(int) - np.asarray(drawn.image())).mean() < 4
    assert codec.usage.requests == 0
    with pytest.raises(CodecError, match="as sharp"):
        codec.lower([after], "large", [page.rows_used])
