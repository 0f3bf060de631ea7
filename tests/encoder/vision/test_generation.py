"""Generation: banned n-grams, probabilities, loops, alignment of characters with tokens."""

from pathlib import Path
from time import monotonic

import numpy as np
import pytest
import torch
from torch import Tensor

from foxing.encoder import ReadFailed
from foxing.encoder.vision.generation import (
    MIN_LOOP_TOKENS,
    Budget,
    NoRepeatNgramProcessor,
    align_characters,
    detokenize,
    loop_start,
)
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.model import RepeatRule


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


def test_no_ngram_is_generated_twice_within_the_window() -> None:
    processor = NoRepeatNgramProcessor(RepeatRule(4, 12), 2, Budget(400))
    chosen = decode(processor, [[7] * 9, list(range(9))])
    assert chosen[1] == list(range(9))
    assert chosen[0][:4] == [7] * 4
    assert chosen[0][4] == 8, "the second best, since the best would repeat four tokens"
    ngrams = [tuple(chosen[0][i : i + 4]) for i in range(len(chosen[0]) - 3)]
    assert len(set(ngrams)) == len(ngrams)
    assert processor.wanted == [[7] * 9, list(range(9))]


def test_text_further_apart_may_repeat_itself() -> None:
    line = list(range(10, 30))
    for between, banned in ((0, True), (20, False)):
        tokens = line + list(range(30, 30 + between)) + line
        assert (decode(NoRepeatNgramProcessor(RepeatRule(8, 30), 1, Budget(400)), [tokens])[0] != tokens) is banned


def test_exempt_tokens_are_never_banned() -> None:
    cells = [3, 4] * 20
    assert decode(NoRepeatNgramProcessor(RepeatRule(4, 12, frozenset({3, 4})), 1, Budget(400)), [cells])[0] == cells
    assert decode(NoRepeatNgramProcessor(RepeatRule(4, 12, frozenset({3})), 1, Budget(400)), [cells])[0] != cells


def test_penalties_are_taken_off_tokens_that_the_text_has() -> None:
    """5 logits lie between the two best tokens: after one occurrence 1 + 0.5 are taken off, after nine 1 + 4.5."""
    rule = RepeatRule(100, 300, presence_penalty=1.0, frequency_penalty=0.5)
    processor = NoRepeatNgramProcessor(rule, 2, Budget(400))
    assert decode(processor, [[7] * 10, list(range(10, 20))]) == [[7] * 9 + [8], list(range(10, 20))]
    assert processor.wanted[0][-1] == 8, "what the penalties prefer is what is read"
    assert processor.probabilities()[0, :9] == pytest.approx(np.exp(10.0) / (np.exp(10.0) + np.exp(5.0) + 48))


def test_the_probability_of_a_second_best_token_is_the_models_own() -> None:
    processor = NoRepeatNgramProcessor(RepeatRule(4, 12), 1, Budget(400))
    decode(processor, [[7] * 6])
    probabilities = processor.probabilities()[0]
    total = np.exp(10.0) + np.exp(5.0) + 48
    assert probabilities[:4] == pytest.approx(np.exp(10.0) / total)
    assert probabilities[4] == pytest.approx(np.exp(5.0) / total)


def test_a_looping_sequence_is_stopped() -> None:
    processor = NoRepeatNgramProcessor(RepeatRule(3, 9), 2, Budget(160))
    ids = torch.zeros(2, 1, dtype=torch.long)
    for step in range(160):
        scores = torch.zeros(2, 400)
        scores[0, 7], scores[1, step + 1] = 10.0, 10.0
        ids = torch.cat([ids, processor(ids, scores).argmax(-1, keepdim=True)], dim=1)
        stopped: Tensor = processor.looping(ids, None)
        assert not stopped[1]
        if stopped[0]:
            break
    assert stopped[0]
    assert step < 160 // 2


def test_a_batch_ends_at_its_deadline() -> None:
    processor = NoRepeatNgramProcessor(RepeatRule(3, 9), 2, Budget(160, monotonic() - 1))
    with pytest.raises(ReadFailed, match="took longer than its limit"):
        processor.looping(torch.zeros(2, 1, dtype=torch.long), None)


RESULT = '{"ok": true, "orders": [{"id": 4711, "depot": "Osaka", "weight_kg": 12.5}, {"id": 4712, "depot": "Jeju"}]}'
REPEATED = {
    "the same result three times": "\n".join([RESULT] * 3),
    "equal log lines": "\n".join(["09:14 worker-3 retry of the import in 30 s"] * 14),
    "a table": "\n".join(f"<tr><td>{n}</td><td>ok</td><td>ok</td><td></td></tr>" for n in range(40)),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", REPEATED.values(), ids=REPEATED)
def test_pages_that_repeat_themselves_are_kept(deepseek: DeepSeekOcr, text: str) -> None:
    """By a reader that is always right, whatever was written before in place of a token that was banned."""
    model = deepseek
    ids = [*model.tokenize(text), *model.eos_token_ids]
    processor = NoRepeatNgramProcessor(model.repeat_rule, 1, Budget(3642))
    chosen = decode(processor, [ids], vocabulary=model.tokenizer.get_vocab_size())[0]
    assert not processor.looping(torch.tensor([chosen]), None).any()
    generation = detokenize(model, chosen, processor.wanted[0], processor.probabilities()[0])
    assert (generation.text, generation.finish_reason, generation.looped.any()) == (text, "end", False)


@pytest.mark.parametrize("period", [1, 2, 7, 12])
def test_a_loop_begins_with_its_second_turn(period: int) -> None:
    before, turns = list(range(100, 130)), -(-MIN_LOOP_TOKENS // period) + 3
    ids = before + list(range(period)) * turns
    assert loop_start(ids) == len(before) + period
    assert loop_start([*ids, *range(500, 530)]) is None, "what the text comes out of is on the page"


def test_short_repetitions_are_not_loops() -> None:
    assert loop_start([1, 2, 3] + [9] * 10 + [4, 5, 6, 4, 5, 6, 4, 5, 6]) is None
    assert loop_start([]) is None
    assert loop_start([1]) is None


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
