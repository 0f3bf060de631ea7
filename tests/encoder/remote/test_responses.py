"""Parsing of chat completions."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from time import process_time
from typing import Any

import numpy as np
import pytest

from foxing.encoder.alignment import without_markup
from foxing.encoder.remote.responses import MAX_ANSWER_CHARS, ChatCompletion, InvalidCompletion, NoReading, loop_start

WORDS = "The delivery on 3 May is late by two days. 점심 먹자, said Dr. Keller; 17-24 pallets arrive before Whitsun."


def completion(content: Any, logprobs: Any = None, finish: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    if logprobs is not None:
        choice["logprobs"] = {"content": logprobs}
    return {"choices": [choice], "usage": {"prompt_tokens": 120, "completion_tokens": 7}}


def token(text: str, probability: float) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(probability), "bytes": list(text.encode())}


def test_a_character_has_the_lowest_probability_of_its_tokens() -> None:
    encoded = token("점심", 0.75)["bytes"]
    halves = [
        {"token": "\\xec", "logprob": math.log(0.9), "bytes": encoded[:4]},
        {"token": "\\x8b", "logprob": math.log(0.5), "bytes": encoded[4:]},
    ]
    answer = ChatCompletion.parse(completion("two 점심", [token("two", 0.25), token(" ", 1.0), *halves]))
    assert answer.confidence is not None
    assert answer.confidence.tolist() == pytest.approx([0.25, 0.25, 0.25, 1.0, 0.9, 0.5])
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cut) == (120, 7, False)


def test_special_tokens_and_fences_are_removed() -> None:
    logprobs = [token("```text\n", 0.5), token("a b", 0.75), token("\n```", 0.5), token("<|im_end|>", 1.0)]
    for content in (
        "```text\na b\n```",
        "```text\na b\n```<|im_end|>",
        "<|assistant|>\n```\na b\n```\n<｜end▁of▁sentence｜>",
    ):
        assert ChatCompletion.parse(completion(content)).text == "a b"
    answer = ChatCompletion.parse(completion("```text\na b\n```", logprobs))
    assert answer.confidence is not None
    assert answer.confidence.tolist() == pytest.approx([0.75] * 3)
    assert ChatCompletion.parse(completion([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])).text == "ab"


def test_confidence_is_none_without_valid_log_probabilities() -> None:
    for logprobs in (None, [], "no", [{"token": "a"}], [{"token": "a", "logprob": "high"}]):
        assert ChatCompletion.parse(completion("a", logprobs)).confidence is None
    for logprob in (math.nan, math.inf, 10**400):
        assert ChatCompletion.parse(completion("a", [{"token": "a", "logprob": logprob}])).confidence is None
    assert ChatCompletion.parse(completion("a", [{"token": "a", "logprob": -0.5, "bytes": 1 << 40}])).confidence is None


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
def test_an_invalid_chat_completion_is_rejected(document: Any) -> None:
    with pytest.raises(InvalidCompletion) as caught:
        ChatCompletion.parse(document)
    assert not isinstance(caught.value, NoReading)


@pytest.mark.parametrize(
    ("content", "finish", "refusal", "message"),
    [
        (None, "stop", None, r"returned no text for a page that is not empty \(it ended with 'stop' after 7 tokens\)"),
        (" \n ", "length", None, "returned no text.*'length'.*'max_tokens'"),
        ("```\n```<|im_end|>", "stop", None, "returned no text"),
        ("half of the pa", "content_filter", None, "its content filter stopped"),
        (None, "stop", "I cannot read\n private letters.", "refuses to read the page: I cannot read private letters"),
    ],
)
def test_an_empty_or_refused_response_is_not_a_reading(
    content: str | None, finish: str, refusal: str | None, message: str
) -> None:
    document = completion(content, finish=finish)
    document["choices"][0]["message"]["refusal"] = refusal
    with pytest.raises(NoReading, match=message) as caught:
        ChatCompletion.parse(document)
    assert caught.value.deliberate
    broken = completion("half")
    broken["choices"][0] |= {"finish_reason": "error", "error": {"message": "upstream"}}
    with pytest.raises(NoReading, match=r"generation failed.*upstream"):
        ChatCompletion.parse(broken)


def test_loop_start_is_after_the_first_occurrence() -> None:
    assert loop_start("It began well." + " and so on" * 40) == len("It began well. and so on")
    assert loop_start("ok " + "0" * 500) == len("ok 0")
    assert loop_start(WORDS) is None
    assert loop_start("ha ha ha ha") is None
    assert loop_start("") is None


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Fails if the block takes longer than linear time would."""
    begun = process_time()
    yield
    assert process_time() - begun < seconds


@pytest.mark.parametrize(
    "endless", [" ", "\n", " <|im_end|>", "<|im_end|> ", "<|det|>[[1, 2]]<", "<|im", "```\n", "x\n"]
)
def test_a_response_of_megabytes_is_cut_in_linear_time(endless: str) -> None:
    content = "Hello" + endless * (4_000_000 // len(endless)) + "."
    with cpu_limit(2.0):
        answer = ChatCompletion.parse(completion(content))
        without_markup(answer.text, np.ones(len(answer.text), dtype=np.float32))
    assert answer.text.startswith("Hello")
    assert (len(answer.text) <= MAX_ANSWER_CHARS, answer.cut) == (True, True)


def test_special_tokens_are_removed_only_at_the_ends_with_whitespace_between_them() -> None:
    answer = ChatCompletion.parse(completion("<|a|>\n <|b|> one <|c|> two\n<|d|>\n\n<｜e｜> \n"))
    assert answer.text == "one <|c|> two"
    assert ChatCompletion.parse(completion("<|a|>x" + " <|b|>" * 5000)).text == "x"
    assert ChatCompletion.parse(completion("  two\n")).text == "  two\n"
    placed = "<|ref|>one<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>"
    assert ChatCompletion.parse(completion(placed + "<|im_end|>")).text == placed


def test_confidence_covers_a_response_that_is_cut() -> None:
    logprobs = [token("점심 ", 0.5)] * MAX_ANSWER_CHARS
    answer = ChatCompletion.parse(completion("점심 " * MAX_ANSWER_CHARS, logprobs))
    assert answer.cut
    assert answer.confidence is not None
    assert answer.confidence.tolist() == pytest.approx([0.5] * len(answer.text))
