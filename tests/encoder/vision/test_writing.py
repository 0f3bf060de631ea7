"""What a model writes: no run of tokens twice, probabilities, loops."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from foxing.encoder.vision.generation import (
    MAX_BLOCKS,
    MIN_LOOP_TOKENS,
    NoRepeatNgramProcessor,
    align_characters,
    loop_mask,
)


def run(guard: NoRepeatNgramProcessor, wanted: list[list[int]], vocabulary: int = 50) -> list[list[int]]:
    """Greedy decoding of one sequence for each list, by a model that wants these tokens, and the next number after."""
    ids = torch.zeros(len(wanted), 1, dtype=torch.long)
    for step in range(max(map(len, wanted))):
        scores = torch.zeros(len(wanted), vocabulary)
        for index, tokens in enumerate(wanted):
            scores[index, tokens[step]] = 10.0
            scores[index, (tokens[step] + 1) % vocabulary] = 5.0
        ids = torch.cat([ids, guard(ids, scores).argmax(-1, keepdim=True)], dim=1)
    return ids[:, 1:].tolist()


def test_a_run_of_tokens_is_written_once_only() -> None:
    guard = NoRepeatNgramProcessor(4, 2)
    chosen = run(guard, [[7] * 9, list(range(9))])
    assert chosen[1] == list(range(9))
    assert chosen[0][:4] == [7] * 4
    assert chosen[0][4] == 8, "the second-best where the best would repeat four tokens"
    grams = [tuple(chosen[0][i : i + 4]) for i in range(len(chosen[0]) - 3)]
    assert len(set(grams)) == len(grams)
    assert guard.blocked == [[4, 8], []]


def test_the_probability_of_a_forced_choice_is_the_model_s_own() -> None:
    guard = NoRepeatNgramProcessor(4, 1)
    run(guard, [[7] * 6])
    probabilities = guard.probabilities()[0]
    total = np.exp(10.0) + np.exp(5.0) + 48
    assert probabilities[:4] == pytest.approx(np.exp(10.0) / total)
    assert probabilities[4] == pytest.approx(np.exp(5.0) / total)


def test_a_sequence_that_keeps_repeating_itself_is_stopped() -> None:
    guard = NoRepeatNgramProcessor(3, 2)
    ids = torch.zeros(2, 1, dtype=torch.long)
    for step in range(60):
        scores = torch.zeros(2, 100)
        scores[0, 7], scores[1, step + 1] = 10.0, 10.0
        ids = torch.cat([ids, guard(ids, scores).argmax(-1, keepdim=True)], dim=1)
        stopped: Tensor = guard.looping(ids, None)
        assert not stopped[1]
        if stopped[0]:
            break
    assert stopped[0]
    assert len(guard.blocked[0]) == MAX_BLOCKS + 1


@pytest.mark.parametrize("period", [1, 2, 7, 12])
def test_a_loop_is_all_but_its_first_turn(period: int) -> None:
    before, turns = list(range(100, 130)), -(-MIN_LOOP_TOKENS // period) + 1
    ids = before + list(range(period)) * turns + [500, 501]
    looped = loop_mask(ids)
    first = len(before) + period
    assert not looped[:first].any()
    assert looped[first:-2].all()
    assert not looped[-2:].any()


def test_rules_and_repeated_words_are_no_loop() -> None:
    assert not loop_mask([1, 2, 3] + [9] * 10 + [4, 5, 6, 4, 5, 6, 4, 5, 6]).any()
    assert not loop_mask([]).any()
    assert not loop_mask([1]).any()


def test_characters_know_their_tokens(deepseek_folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(deepseek_folder / "tokenizer.json"))
    ids = tokenizer.encode("aé여!", add_special_tokens=False).ids
    text, sources = align_characters(tokenizer, ids)
    assert text == "aé여!"
    assert sources == [(0, 1), (1, 3), (3, 6), (6, 7)]
    broken, sources = align_characters(tokenizer, ids[:5])
    assert broken.startswith("aé")
    assert broken[2:] == "\ufffd" * len(broken[2:])
    assert len(sources) == len(broken)
