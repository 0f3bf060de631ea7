"""Generation: banned n-grams, probabilities, loops, alignment of characters with tokens."""

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


def decode(processor: NoRepeatNgramProcessor, preferred: list[list[int]], vocabulary: int = 50) -> list[list[int]]:
    """Greedy decoding of one sequence per list, by a model whose best token is the one in the list and whose second
    best is the next higher id."""
    ids = torch.zeros(len(preferred), 1, dtype=torch.long)
    for step in range(max(map(len, preferred))):
        scores = torch.zeros(len(preferred), vocabulary)
        for index, tokens in enumerate(preferred):
            scores[index, tokens[step]] = 10.0
            scores[index, (tokens[step] + 1) % vocabulary] = 5.0
        ids = torch.cat([ids, processor(ids, scores).argmax(-1, keepdim=True)], dim=1)
    return ids[:, 1:].tolist()


def test_no_ngram_is_generated_twice() -> None:
    processor = NoRepeatNgramProcessor(4, 2)
    chosen = decode(processor, [[7] * 9, list(range(9))])
    assert chosen[1] == list(range(9))
    assert chosen[0][:4] == [7] * 4
    assert chosen[0][4] == 8, "the second best, since the best would repeat four tokens"
    ngrams = [tuple(chosen[0][i : i + 4]) for i in range(len(chosen[0]) - 3)]
    assert len(set(ngrams)) == len(ngrams)
    assert processor.blocked == [[4, 8], []]


def test_the_probability_of_a_second_best_token_is_the_models_own() -> None:
    processor = NoRepeatNgramProcessor(4, 1)
    decode(processor, [[7] * 6])
    probabilities = processor.probabilities()[0]
    total = np.exp(10.0) + np.exp(5.0) + 48
    assert probabilities[:4] == pytest.approx(np.exp(10.0) / total)
    assert probabilities[4] == pytest.approx(np.exp(5.0) / total)


def test_a_looping_sequence_is_stopped() -> None:
    processor = NoRepeatNgramProcessor(3, 2)
    ids = torch.zeros(2, 1, dtype=torch.long)
    for step in range(60):
        scores = torch.zeros(2, 100)
        scores[0, 7], scores[1, step + 1] = 10.0, 10.0
        ids = torch.cat([ids, processor(ids, scores).argmax(-1, keepdim=True)], dim=1)
        stopped: Tensor = processor.looping(ids, None)
        assert not stopped[1]
        if stopped[0]:
            break
    assert stopped[0]
    assert len(processor.blocked[0]) == MAX_BLOCKS + 1


@pytest.mark.parametrize("period", [1, 2, 7, 12])
def test_loop_mask_covers_all_turns_but_the_first(period: int) -> None:
    before, turns = list(range(100, 130)), -(-MIN_LOOP_TOKENS // period) + 1
    ids = before + list(range(period)) * turns + [500, 501]
    looped = loop_mask(ids)
    first = len(before) + period
    assert not looped[:first].any()
    assert looped[first:-2].all()
    assert not looped[-2:].any()


def test_short_repetitions_are_not_loops() -> None:
    assert not loop_mask([1, 2, 3] + [9] * 10 + [4, 5, 6, 4, 5, 6, 4, 5, 6]).any()
    assert not loop_mask([]).any()
    assert not loop_mask([1]).any()


def test_characters_are_aligned_with_their_tokens(deepseek_folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(deepseek_folder / "tokenizer.json"))
    ids = tokenizer.encode("aé여!", add_special_tokens=False).ids
    text, spans = align_characters(tokenizer, ids)
    assert text == "aé여!"
    assert spans == [(0, 1), (1, 3), (3, 6), (6, 7)]
    broken, spans = align_characters(tokenizer, ids[:5])
    assert broken.startswith("aé")
    assert broken[2:] == "\ufffd" * len(broken[2:])
    assert len(spans) == len(broken)
