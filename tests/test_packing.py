"""Packing: what goes into the bytes of vision tokens comes out of them, and what does not fit is said to be
missing."""

import numpy as np
import pytest

from foxing.encoder.native import rans
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.packing import GUESSED, NO_DOUBT, Packer, stream_rows
from foxing.encoder.native.prior import Prior, context_ids, hashed, windows
from foxing.encoder.native.symbols import Alphabet
from foxing.encoder.native.texts import entries
from foxing.encoder.native.weights import load_weights
from foxing.renderer import BLANK, Repertoire, Typesetter

TIGHT, WIDE = 8 * 30, 8 * 250  # bytes of a token row of `tiny`, for 1.2 and 10 bits a cell
ROWS = 10  # of cells in a token row of `tiny`
TEXT = (
    "Could you look at the parser again? It drops the last line when the file does not end in a newline.",
    '{"tool_call": "find_hotels", "arguments": {"city": "Seoul", "nights": 3, "max_price": 180000}}',
    "안녕하세요, 내일 회의 시간을 오후 세 시로 바꿀 수 있을까요? 네, 가능합니다.",
    "你好，明天的会议可以改到下午三点吗？ おはようございます。会議室は三階の青い部屋です。",
    "αβγ ☃ ŵ ẞ ⅔ ∮ ┼ 🦊 🧭 龠 뷁 3f9a0c77-5d1e-4b7f-9a55-0e8d2c6b1f04",
)

Parts = tuple[Prior, Charset, Alphabet]


@pytest.fixture(scope="module")
def parts() -> Parts:
    model, charset, _ = load_weights()
    return Prior(model.prior.arrays()), charset, Alphabet(charset)


@pytest.fixture(scope="module")
def packer(parts: Parts) -> Packer:
    return Packer(*parts)


@pytest.fixture(scope="module")
def grid(parts: Parts) -> np.ndarray:
    """uint32[20·n, 160]: prose, JSON, Korean, Chinese, Japanese, rare characters and an identifier."""
    messages = [{"role": "user", "content": line} for line in TEXT * 30]
    cells = (
        Typesetter(repertoire=Repertoire(parts[1].characters)).page(entries([{"id": "t", "messages": messages}])).cells
    )
    return np.where(cells == BLANK, 0x20, cells)


def sure_of(shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape, dtype=np.float32)


def test_the_coder_gives_back_what_it_took() -> None:
    generator = np.random.default_rng(1)
    sizes = generator.integers(0, 3000, (7, 400))
    sizes[generator.random(sizes.shape) < 0.3] = 0  # no event
    sizes[3] = rans.SLOTS  # certain: costs nothing
    starts = np.where(sizes > 0, generator.integers(0, rans.SLOTS, sizes.shape) % (rans.SLOTS - sizes + 1), 0)
    streams = rans.encode(starts, sizes)
    assert len(streams[3]) == rans.STATE_WORDS
    decoder = rans.Decoder(streams)
    for start, size in zip(starts.T, sizes.T, strict=True):
        slots, on = decoder.slots, size > 0
        assert ((slots >= start) & (slots < start + size))[on].all()
        decoder.take(start, size)
    assert decoder.taken.tolist() == [len(words) for words in streams]
    cost = (rans.SLOT_BITS - np.log2(np.maximum(sizes, 1)))[sizes > 0].sum() / 16
    assert sum(map(len, streams)) < cost + 7 * (rans.STATE_WORDS + 2)


def test_all_symbols_of_a_page_come_back(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    alphabet = parts[2]
    symbols, rare = alphabet.symbols(grid[None])
    assert (alphabet.cells(symbols, rare) == grid).all()
    out = packer.unpack(packer.pack(symbols, rare, sure_of(symbols.shape), ROWS, WIDE), ROWS)
    assert not out.guessed.any()
    assert (alphabet.cells(out.symbols, out.rare) == grid).all()
    assert (out.sure == np.float32(NO_DOUBT)).all()


def test_what_does_not_fit_is_guessed_and_said_to_be(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    alphabet = parts[2]
    symbols, rare = alphabet.symbols(grid[None])
    shares = []
    for room in (WIDE, TIGHT * 2, TIGHT, TIGHT // 3):
        out = packer.unpack(packer.pack(symbols, rare, sure_of(symbols.shape), ROWS, room), ROWS)
        wrong = alphabet.cells(out.symbols, out.rare)[0] != grid
        assert out.guessed[0][wrong].all()
        assert (out.sure[out.guessed] == np.float32(GUESSED)).all()
        shares.append(out.guessed.mean())
    assert shares == sorted(shares)
    assert shares[-1] > shares[0] == 0


def test_text_without_any_sense_fits_too(parts: Parts, packer: Packer) -> None:
    generator = np.random.default_rng(2)
    symbols = generator.integers(0, parts[1].rare_class, (1, ROWS, 160))
    rare = np.zeros_like(symbols)
    out = packer.unpack(packer.pack(symbols, rare, sure_of(symbols.shape), ROWS, TIGHT), ROWS)
    assert out.guessed.mean() > 0.5
    assert (out.symbols == symbols)[~out.guessed].all()


def test_doubts_come_along_worst_first(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    symbols, rare = parts[2].symbols(grid[None, :ROWS])
    sure = sure_of(symbols.shape)
    room = 8 * 140
    first = grid[:ROWS].ravel()
    narrow = np.flatnonzero((first >= 0x20) & (first < 0x7F))
    sure.ravel()[narrow[5:300:3]] = np.linspace(0.05, 0.95, len(narrow[5:300:3]))
    out = packer.unpack(packer.pack(symbols, rare, sure, ROWS, room), ROWS)
    assert np.abs(out.sure - sure).max() < 0.07
    data = packer.pack(symbols, rare, sure, ROWS, room)[0, 0]
    used = len(data.tobytes().rstrip(b"\x00"))
    few = packer.unpack(packer.pack(symbols, rare, sure, ROWS, (used - 40) // 2 * 2), ROWS)
    assert (out.sure < 0.99).sum() > (few.sure < 0.99).sum() > 0
    assert few.sure[out.sure < 0.3].max() < 0.35


def test_each_token_row_reads_by_itself(parts: Parts, packer: Packer, grid: np.ndarray) -> None:
    symbols, rare = parts[2].symbols(grid[None])
    data = packer.pack(symbols, rare, sure_of(symbols.shape), ROWS, TIGHT)
    whole = packer.unpack(data, ROWS)
    part = packer.unpack(data[:, 2:4], ROWS)
    assert (part.symbols == whole.symbols[:, 2 * ROWS : 4 * ROWS]).all()


def test_any_bytes_read_as_something(packer: Packer) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (1, 3, TIGHT), dtype=np.uint8)
    assert packer.unpack(noise, ROWS).symbols.shape == (1, 30, 160)


def test_the_prior_is_the_same_in_any_company(parts: Parts, grid: np.ndarray) -> None:
    prior, _, alphabet = parts
    symbols, _ = alphabet.symbols(grid)
    rows = [row.ravel() for row in hashed(*windows(context_ids(symbols.reshape(-1, 640))))]
    together = prior.weights(rows)
    assert (together == np.floor(together)).all()
    assert together.sum(-1, dtype=np.float64).max() < 1 << 24
    for at in range(0, len(rows[0]), 997):
        assert (prior.weights([row[at : at + 1] for row in rows]) == together[at]).all()


def test_streams_divide_a_token_row_and_are_short_where_there_is_room() -> None:
    tight = [stream_rows(rows, rows * 160 // 2) for rows in (4, 5, 8, 10, 16)]  # 4 bits a cell
    assert tight == [4, 5, 4, 5, 4]
    assert stream_rows(5, 5 * 160) == 1
