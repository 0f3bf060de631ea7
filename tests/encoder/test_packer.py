"""Packing and unpacking of vision tokens: what fits survives, and what does not is marked as guessed."""

import numpy as np
import pytest
import torch

from foxing.encoder.bench.documents import entries
from foxing.encoder.errors import CodecError, TokensError
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.entropy import integer_layers, rans
from foxing.encoder.native.entropy.alphabet import Alphabet
from foxing.encoder.native.entropy.confidence import (
    LEVEL_CONFIDENCE,
    MAX_CONFIDENCE,
    N_CONTEXTS,
    N_LEVELS,
    ConfidenceCoder,
    count_slots,
    initial_slots,
    quantize,
)
from foxing.encoder.native.entropy.integer_layers import Int8Linear
from foxing.encoder.native.entropy.packer import Packer, stream_rows
from foxing.encoder.native.entropy.prior import FIRST_ROW, Prior, context_ids, context_rows, context_windows
from foxing.encoder.native.network.layers import argmax
from foxing.encoder.native.weights import load_weights
from foxing.renderer import BLANK, Typesetter

TIGHT, WIDE = 8 * 30, 8 * 250  # bytes of a token row of `tiny`, for 1.2 and 10 bits a cell
ROWS = 10  # of cells in a token row of `tiny`
TEXT = (
    "Could you look at the parser again? It drops the last line when the file does not end in a newline.",
    '{"tool_call": "find_hotels", "arguments": {"city": "Seoul", "nights": 3, "max_price": 180000}}',
    "안녕하세요, 내일 회의 시간을 오후 세 시로 바꿀 수 있을까요? 네, 가능합니다.",
    "你好，明天的会议可以改到下午三点吗？ おはようございます。会議室は三階の青い部屋です。",
    "αβγ ☃ ŵ ẞ ⅔ ∮ ┼ 🦊 🧭 龠 뷁 3f9a0c77-5d1e-4b7f-9a55-0e8d2c6b1f04",
)

GOLDEN = [670254, 960392, 875465, 604300, 429076, 560801, 400224, 504761, 355398]

Parts = tuple[Prior, Charset, Alphabet]


@pytest.fixture(scope="module")
def parts() -> Parts:
    model, charset, _ = load_weights()
    return Prior(model.prior.arrays()), charset, Alphabet(charset)


@pytest.fixture(scope="module")
def packer(parts: Parts) -> Packer:
    prior, charset, alphabet = parts
    return Packer(prior, ConfidenceCoder(initial_slots()), charset, alphabet)


@pytest.fixture(scope="module")
def grid(parts: Parts) -> np.ndarray:
    """uint32[20·n, 160]: prose, JSON, Korean, Chinese, Japanese, rare characters and an identifier."""
    messages = [{"role": "user", "content": line} for line in TEXT * 30]
    cells = Typesetter(repertoire=parts[1].repertoire).page(entries([{"id": "t", "messages": messages}])).cells
    return np.where(cells == BLANK, 0x20, cells)


def certain(shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape, dtype=np.float32)


def test_the_range_coder_round_trips() -> None:
    generator = np.random.default_rng(1)
    sizes = generator.integers(0, 3000, (7, 400))
    sizes[generator.random(sizes.shape) < 0.3] = 0  # no event
    sizes[3] = rans.SLOTS  # certain: takes no bits
    starts = np.where(sizes > 0, generator.integers(0, rans.SLOTS, sizes.shape) % (rans.SLOTS - sizes + 1), 0)
    streams = rans.encode(starts, sizes)
    assert len(streams[3]) == rans.STATE_WORDS
    decoder = rans.Decoder(streams)
    for start, size in zip(starts.T, sizes.T, strict=True):
        slots, active = decoder.slots, size > 0
        assert ((slots >= start) & (slots < start + size))[active].all()
        decoder.advance(start, size)
    assert decoder.words_read.tolist() == [len(words) for words in streams]
    cost = (rans.SLOT_BITS - np.log2(np.maximum(sizes, 1)))[sizes > 0].sum() / 16
    assert sum(map(len, streams)) < cost + 7 * (rans.STATE_WORDS + 2)


def test_all_symbols_of_a_page_survive_packing(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    alphabet = parts[2]
    symbols, rare = alphabet.symbols(grid[None])
    assert (alphabet.cells(symbols, rare) == grid).all()
    out = packer.unpack(packer.pack(symbols, rare, certain(symbols.shape), ROWS, WIDE), ROWS)
    assert not out.guessed.any()
    assert (alphabet.cells(out.symbols, out.rare) == grid).all()
    assert (out.confidence == np.float32(MAX_CONFIDENCE)).all()


def test_what_does_not_fit_is_guessed_and_marked(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    alphabet = parts[2]
    symbols, rare = alphabet.symbols(grid[None])
    shares = []
    for room in (WIDE, TIGHT * 2, TIGHT, TIGHT // 3):
        out = packer.unpack(packer.pack(symbols, rare, certain(symbols.shape), ROWS, room), ROWS)
        wrong = alphabet.cells(out.symbols, out.rare)[0] != grid
        assert out.guessed[0][wrong].all()
        assert (out.confidence[out.guessed] == 0).all()
        assert (out.confidence[~out.guessed] == np.float32(MAX_CONFIDENCE)).all()
        shares.append(out.guessed.mean())
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] == 0


def test_random_text_is_packed_too(parts: Parts, packer: Packer) -> None:
    generator = np.random.default_rng(2)
    symbols = generator.integers(0, parts[1].rare_class, (1, ROWS, 160))
    rare = np.zeros_like(symbols)
    out = packer.unpack(packer.pack(symbols, rare, certain(symbols.shape), ROWS, TIGHT), ROWS)
    assert out.guessed.mean() > 0.5
    assert (out.symbols == symbols)[~out.guessed].all()


def of_every_level(shape: tuple[int, ...], symbols: np.ndarray) -> np.ndarray:
    """Confidences of every level, the same for both halves of a character."""
    confidence = np.random.default_rng(5).choice(LEVEL_CONFIDENCE, shape).astype(np.float32)
    confidence[..., 1:] = np.where(symbols[..., :-1] >= 256, confidence[..., :-1], confidence[..., 1:])
    return confidence


@pytest.mark.parametrize("room", [WIDE, TIGHT * 4, TIGHT])
def test_confidence_survives_however_little_fits(parts: Parts, packer: Packer, grid: np.ndarray, room: int) -> None:
    symbols, rare = parts[2].symbols(grid[None])
    confidence = of_every_level(symbols.shape, symbols)
    out = packer.unpack(packer.pack(symbols, rare, confidence, ROWS, room), ROWS)
    kept = ~out.guessed
    assert kept.any()
    assert (out.confidence[kept] == confidence[kept]).all()
    assert (out.symbols == symbols)[kept].all()


def test_levels_of_certain_cells_take_few_bits() -> None:
    confidence = np.full((4, 160), 0.9999, dtype=np.float32)
    confidence[1, 50:60] = 0.4
    levels, right = quantize(confidence), np.zeros(confidence.shape, dtype=bool)
    slots = count_slots(levels, right)
    assert slots.shape == (N_CONTEXTS, N_LEVELS)
    assert slots.min() >= 1
    assert (slots.sum(1) == rans.SLOTS).all()
    _, sizes = ConfidenceCoder(slots).events(levels, right)
    bits = 16 - np.log2(sizes)
    assert bits[0].sum() < 10 < bits[1].sum()
    with pytest.raises(ValueError, match="add up"):
        ConfidenceCoder(slots + 1)


def test_too_few_bytes_for_empty_streams_are_an_error(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    symbols, rare = parts[2].symbols(grid[None, :ROWS])
    with pytest.raises(CodecError, match="too few"):
        packer.pack(symbols, rare, certain(symbols.shape), ROWS, 8)


def test_token_rows_are_independent(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    symbols, rare = parts[2].symbols(grid[None])
    data = packer.pack(symbols, rare, certain(symbols.shape), ROWS, TIGHT)
    whole = packer.unpack(data, ROWS)
    part = packer.unpack(data[:, 2:4], ROWS)
    assert (part.symbols == whole.symbols[:, 2 * ROWS : 4 * ROWS]).all()


def test_bytes_that_were_not_packed_are_rejected(packer: Packer) -> None:
    generator = np.random.default_rng(3)
    for share in (0, 255, None):
        for room in (TIGHT, TIGHT * 3 + 1, WIDE):
            noise = np.full((1, 3, room), share or 0, dtype=np.uint8)
            if share is None:
                noise = generator.integers(0, 256, noise.shape, dtype=np.uint8)
                noise[..., :2] = 160, 0  # a possible number of cells
                noise[..., 2:4] = 40, 0  # and a possible length
            with pytest.raises(TokensError, match="are invalid"):
                packer.unpack(noise, ROWS)


def test_hashes_of_contexts_never_change() -> None:
    """They are part of the format: with other ones, stored tokens decode as garbage."""
    symbols = (np.arange(640).reshape(4, 160) * 7919) % 256
    rows = context_rows(*context_windows(context_ids(symbols)))
    assert [int((row * np.arange(1, 641)).sum() % 1_000_003) for row in rows - FIRST_ROW] == GOLDEN


def test_the_prior_gives_the_same_weights_in_any_batch(parts: Parts, grid: np.ndarray) -> None:
    prior, _, alphabet = parts
    symbols, _ = alphabet.symbols(grid)
    rows = context_rows(*context_windows(context_ids(symbols.reshape(-1, 640))))
    together = prior.weights(rows).numpy()
    assert (together == np.floor(together)).all()
    assert together.sum(-1, dtype=np.float64).max() < 1 << 24
    for at in range(0, rows.shape[1], 997):
        assert (prior.weights(rows[:, at : at + 1]).numpy() == together[at]).all()


def test_integer_layers_are_exact_with_and_without_fast_products(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(4)
    weight = generator.integers(-127, 128, (288, 48), dtype=np.int8)
    weight[:, 0], weight[:, 1] = 127, -127  # the largest possible sums
    bias = generator.integers(-(1 << 22), 1 << 22, 48, dtype=np.int32)
    x = generator.integers(-128, 128, (65, 288), dtype=np.int8)
    x[0], x[1] = -128, 127
    right = x.astype(np.int64) @ weight.astype(np.int64) + bias
    fast = Int8Linear(weight, bias)
    monkeypatch.setattr(integer_layers, "has_int8_products", lambda: False)
    slow = Int8Linear(weight, bias)
    for layer in (fast, slow):
        assert (layer(torch.from_numpy(x)).numpy() == right).all()
    with pytest.raises(ValueError, match="too large"):
        Int8Linear(np.full((1100, 2), 127, dtype=np.int8), bias[:2])


def test_a_processor_that_saturates_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    def saturating(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Takes x as 0 … 255 and sums pairs of products in 16 bits, as processors without VNNI do."""
        products = ((x.int() + 128)[:, :, None] * weight.int()).unflatten(1, (-1, 2)).sum(2)
        sums = products.clamp(-(1 << 15), (1 << 15) - 1).sum(1) - 128 * weight.int().sum(0)
        return sums.int()

    weight, x = np.full((4, 2), 127, dtype=np.int8), torch.full((1, 4), 127, dtype=torch.int8)
    assert saturating(x, torch.from_numpy(weight))[0, 0] != 4 * 127 * 127
    monkeypatch.setattr(integer_layers, "has_int8_products", lambda: True)
    monkeypatch.setattr(torch, "_int_mm", saturating)
    assert (Int8Linear(weight, np.zeros(2))(x).numpy() == 4 * 127 * 127).all()


def test_argmax_is_the_first_of_equal_maxima() -> None:
    logits = torch.randint(-3, 4, (2, 300, 7, 260), generator=torch.Generator().manual_seed(5)).float()
    for dtype in (torch.float32, torch.bfloat16):
        assert torch.equal(argmax(logits.to(dtype)), torch.from_numpy(logits.numpy().argmax(-1)))
    assert argmax(torch.empty(0, 12)).shape == (0,)


def test_streams_divide_a_token_row_and_are_short_with_enough_bytes() -> None:
    tight = [stream_rows(rows, rows * 160 // 2) for rows in (4, 5, 8, 10, 16)]  # 4 bits a cell
    assert tight == [4, 5, 4, 5, 4]
    assert stream_rows(5, 5 * 160) == 1
