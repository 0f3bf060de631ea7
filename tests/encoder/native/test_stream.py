"""The stream of a page: every symbol and confidence survives, what does not fit is cut, and damage is refused."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.kernel_reference import ReferenceKernel

from foxing.encoder import CodecError, TokensError
from foxing.encoder.bench.documents import entries
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.decoder import PageStreams
from foxing.encoder.native.entropy import kernel as kernel_module
from foxing.encoder.native.entropy.alphabet import LEFT, Alphabet, SymbolGrid
from foxing.encoder.native.entropy.confidence import LEVEL_CONFIDENCE, MAX_CONFIDENCE
from foxing.encoder.native.entropy.kernel import CodedCells, Kernel
from foxing.encoder.native.entropy.stream import read_stream, write_stream
from foxing.encoder.native.entropy.tables import STATE_BYTES, PriorTables, state_views
from foxing.encoder.native.network.layers import argmax
from foxing.encoder.native.weights import load_weights
from foxing.renderer import Typesetter
from foxing.renderer.marks import GAP_MARK
from foxing.renderer.page import BLANK

ROOM = 19_200  # bytes, far more than a page takes
TEXT = (
    "Could you look at the parser again? It drops the last line when the file does not end in a newline.",
    '{"tool_call": "find_hotels", "arguments": {"city": "Seoul", "nights": 3, "max_price": 180000}}',
    "안녕하세요, 내일 회의 시간을 오후 세 시로 바꿀 수 있을까요? 네, 가능합니다.",
    "你好，明天的会议可以改到下午三点吗？ おはようございます。会議室は三階の青い部屋です。",
    "αβγ ☃ ŵ ẞ ⅔ ∮ ┼ 🦊 🧭 龠 뷁 3f9a0c77-5d1e-4b7f-9a55-0e8d2c6b1f04",
)
#: Of the stream that the released weights write of the first rows of `TEXT`, which no page break touches. It is part of
#: the format: with another one, stored tokens decode as garbage.
GOLDEN = "3ad5e1cab46be10e"
GOLDEN_ROWS = 64


@pytest.fixture(scope="module")
def charset() -> Charset:
    return load_weights().charset


@pytest.fixture(scope="module")
def streams(charset: Charset) -> PageStreams:
    return PageStreams(load_weights().prior, charset)


@pytest.fixture(scope="module")
def cells(charset: Charset) -> np.ndarray:
    """uint32 [n, 160]: prose, JSON, Korean, Chinese, Japanese, rare characters and an identifier."""
    messages = [{"role": "user", "content": line} for line in TEXT * 30]
    page = Typesetter(repertoire=charset.repertoire).page(entries([{"id": "t", "messages": messages}]))
    return np.where(page.cells == BLANK, 0x20, page.cells)


@pytest.fixture(scope="module")
def grid(charset: Charset, cells: np.ndarray) -> SymbolGrid:
    return Alphabet(charset).symbols(cells)


def certain(grid: SymbolGrid) -> np.ndarray:
    return np.ones(grid.symbols.shape, dtype=np.float32)


def of_every_level(grid: SymbolGrid) -> np.ndarray:
    """Confidences of every level, the same for both halves of a character."""
    confidence = np.random.default_rng(5).choice(LEVEL_CONFIDENCE, grid.symbols.shape).astype(np.float32)
    confidence[:, 1:] = np.where(grid.symbols[:, :-1] >= LEFT, confidence[:, :-1], confidence[:, 1:])
    return confidence


def test_all_symbols_of_a_page_survive(streams: PageStreams, cells: np.ndarray, grid: SymbolGrid) -> None:
    page = streams.read(streams.write(grid, certain(grid), ROOM))
    assert (page.cells == cells).all()
    assert (page.confidence == np.float32(MAX_CONFIDENCE)).all()


def test_confidence_survives_in_levels(streams: PageStreams, grid: SymbolGrid) -> None:
    confidence = of_every_level(grid)
    page = read_stream(streams.kernel, write_stream(streams.kernel, grid, confidence, ROOM))
    assert (page.confidence == confidence).all()
    assert (page.grid.symbols == grid.symbols).all()


def test_certainty_costs_almost_nothing(streams: PageStreams, grid: SymbolGrid) -> None:
    sure = len(streams.write(grid, certain(grid), ROOM))
    doubtful = certain(grid)
    doubtful[5, :40] = 0.4
    assert sure < len(streams.write(grid, doubtful, ROOM)) < sure + 60
    nothing = SymbolGrid(np.zeros_like(grid.symbols), np.zeros_like(grid.rare))
    assert len(streams.write(nothing, certain(nothing), ROOM)) < 40


def test_what_does_not_fit_is_a_gap_at_the_end(streams: PageStreams, cells: np.ndarray, grid: SymbolGrid) -> None:
    whole = len(streams.write(grid, certain(grid), ROOM))
    kept = []
    for room in (whole + 6, whole - 1, whole // 2, whole // 4, 60):
        data = streams.write(grid, certain(grid), room)
        assert len(data) <= room
        page = streams.read(data)
        gap = page.cells.reshape(-1) == ord(GAP_MARK)
        kept.append(int((~gap).sum()))
        assert gap[kept[-1] :].all()
        assert (page.cells.reshape(-1)[: kept[-1]] == cells.reshape(-1)[: kept[-1]]).all()
        assert (page.confidence.reshape(-1)[kept[-1] :] == 1).all()
        assert len(data) >= room - 12
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == cells.size > kept[1]


def test_a_page_of_anything_is_written(streams: PageStreams, charset: Charset) -> None:
    generator = np.random.default_rng(2)
    symbols = generator.integers(0, charset.n_cell, (5, 160))
    rare = np.where(symbols == charset.rare_class, generator.integers(0, len(charset.rare), symbols.shape), 0)
    grid = SymbolGrid(symbols, rare)
    page = read_stream(streams.kernel, streams.write(grid, certain(grid), ROOM))
    assert (page.grid.symbols == symbols).all()
    assert (page.grid.rare == rare).all()


@pytest.mark.slow
def test_the_kernel_in_python_writes_and_reads_the_same(streams: PageStreams, grid: SymbolGrid) -> None:
    reference = ReferenceKernel.of(streams.kernel)
    part = SymbolGrid(*(array[-4:] for array in grid))
    confidence = of_every_level(part)
    data = write_stream(streams.kernel, part, confidence, ROOM)
    assert write_stream(reference, part, confidence, ROOM) == data
    read = read_stream(reference, data)
    assert (read.grid.symbols == part.symbols).all()
    assert (read.confidence == confidence).all()
    cut = write_stream(streams.kernel, part, confidence, 200)
    assert write_stream(reference, part, confidence, 200) == cut


@pytest.mark.parametrize("room", [ROOM, 600], ids=["whole", "cut"])
def test_the_head_of_a_page_is_read_as_in_the_page(streams: PageStreams, grid: SymbolGrid, room: int) -> None:
    data = streams.write(grid, of_every_level(grid), room)
    page = streams.read(data)
    for rows in (1, 2, len(page.cells) - 1, len(page.cells), len(page.cells) + 1):
        head = streams.read(data, rows)
        assert np.array_equal(head.cells, page.cells[:rows])
        assert np.array_equal(head.confidence, page.confidence[:rows])
    reference = ReferenceKernel.of(streams.kernel)
    assert np.array_equal(
        read_stream(reference, data, 1).grid.symbols, read_stream(streams.kernel, data, 1).grid.symbols
    )


@pytest.mark.slow
def test_costs_add_up_to_the_stream(streams: PageStreams, cells: np.ndarray, grid: SymbolGrid) -> None:
    costs = streams.cost(cells)
    assert costs.shape == cells.shape
    assert (costs >= 0).all()
    assert costs.sum() / 8 == pytest.approx(len(streams.write(grid, certain(grid), ROOM)), rel=0.1)
    reference = ReferenceKernel.of(streams.kernel)
    flat = [part[-4:].reshape(-1).astype(np.uint16) for part in grid]
    assert (reference.costs(*flat) == streams.kernel.costs(*flat)).all()


def test_a_missing_kernel_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_module.load_library.cache_clear()
    monkeypatch.setattr(kernel_module, "LIBRARY", kernel_module.LIBRARY.with_name("none.so"))
    try:
        with pytest.raises(CodecError, match="reinstall foxing"):
            kernel_module.load_library()
    finally:
        kernel_module.load_library.cache_clear()


def test_threads_write_the_same_streams(streams: PageStreams, grid: SymbolGrid) -> None:
    expected = streams.write(grid, certain(grid), ROOM)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: streams.write(grid, certain(grid), ROOM), range(8))) == {expected}


def test_the_format_has_not_changed(streams: PageStreams, charset: Charset, cells: np.ndarray) -> None:
    grid = Alphabet(charset).symbols(cells[:GOLDEN_ROWS])
    assert hashlib.sha256(streams.write(grid, of_every_level(grid), ROOM)).hexdigest()[:16] == GOLDEN


def test_bytes_that_are_no_stream_are_refused(streams: PageStreams, grid: SymbolGrid) -> None:
    data = streams.write(grid, certain(grid), ROOM)
    generator = np.random.default_rng(3)
    for wrong in (b"", b"\0", b"\x51" + data[1:], data + b"\0", data[:1], b"\x85\xff\xff" + data[1:]):
        with pytest.raises(TokensError, match="are invalid"):
            streams.read(wrong)
    for _ in range(20):
        with pytest.raises(TokensError, match="are invalid"):
            streams.read(b"\x05" + generator.bytes(300))


def test_tables_of_another_shape_are_refused(streams: PageStreams) -> None:
    tables = streams.kernel.tables
    assert PriorTables.from_arrays(tables.to_arrays()).state is tables.state
    assert sum(view.nbytes for view in state_views(tables.state).values()) == STATE_BYTES
    with pytest.raises(ValueError, match="'kinds'"):
        replace(tables, kinds=tables.kinds[:100])
    with pytest.raises(ValueError, match="has the tables"):
        PriorTables.from_arrays({"state": tables.state})


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def kernel(streams: PageStreams, request: pytest.FixtureRequest) -> Kernel:
    return streams.kernel if request.param else ReferenceKernel.of(streams.kernel)


def plain_cells(count: int) -> CodedCells:
    """`count` cells of one narrow character."""
    return CodedCells.empty(count)


def test_symbols_that_no_page_has_are_refused(kernel: Kernel) -> None:
    for changes in ({11: LEFT + 3}, {158: 700}, {12: 65535}, {10: LEFT + 3, 11: 256}, {10: LEFT + 3, 11: 600}):
        cells = plain_cells(160)
        cells.symbols[list(changes)] = list(changes.values())
        with pytest.raises(ValueError, match="not a page"):
            kernel.encode(cells, ROOM)
        with pytest.raises(ValueError, match="not a page"):
            kernel.costs(cells.symbols, cells.rare)
    for array, value in (("rare", 2048), ("levels", 16)):
        cells = plain_cells(160)
        cells.symbols[3] = kernel.rare_class
        getattr(cells, array)[3] = value
        with pytest.raises(ValueError, match="not a page"):
            kernel.encode(cells, ROOM)


def test_a_cut_through_a_full_width_character_is_refused(kernel: Kernel) -> None:
    """The kernel would write the right half behind the last cell."""
    cells = plain_cells(160)
    cells.symbols[20:22] = LEFT + 3, 7
    with pytest.raises(ValueError, match="not a page"):
        kernel.encode(cells.first(21), ROOM)
    data = kernel.encode(cells.first(22), ROOM).data
    assert (kernel.decode(data, 22).symbols == cells.symbols[:22]).all()
    for whole in (True, False):
        with pytest.raises(ValueError, match="does not decode"):
            kernel.decode(data, 21, whole=whole)
    with pytest.raises(TokensError, match="are invalid"):
        read_stream(kernel, b"\x81" + (21).to_bytes(2, "little") + data)


def test_more_cells_than_a_page_has_are_refused(kernel: Kernel) -> None:
    cells = CodedCells(np.zeros(12_801, np.uint16), np.zeros(12_801, np.uint16), np.zeros(12_801, np.uint8))
    for wrong in (cells, cells._replace(rare=cells.rare[:9], symbols=cells.symbols[:20])):
        with pytest.raises(ValueError, match="than a page has"):
            kernel.encode(wrong, ROOM)
    for count in (-1, 12_801):
        with pytest.raises(ValueError, match="a page has at most"):
            kernel.decode(b"\0", count)


def test_trees_that_do_not_end_are_refused(streams: PageStreams) -> None:
    tables = streams.kernel.tables
    for node, child in ((0, 0), (5, 5000), (5, 600), (600, 20), (3, -1)):
        children = tables.children.copy()
        children[node, 1] = child
        with pytest.raises(ValueError, match="of the prior"):
            replace(tables, children=children)


def test_argmax_is_the_first_of_equal_maxima() -> None:
    logits = torch.randint(-3, 4, (2, 300, 7, 260), generator=torch.Generator().manual_seed(5)).float()
    for dtype in (torch.float32, torch.bfloat16):
        assert torch.equal(argmax(logits.to(dtype)), torch.from_numpy(logits.numpy().argmax(-1)))
    assert argmax(torch.empty(0, 12)).shape == (0,)
