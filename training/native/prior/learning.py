"""The state that a page starts from: what a history of decisions means, and how far to trust each context."""

import ctypes
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.encoder.native.entropy.kernel import Kernel, pointer
from foxing.encoder.native.entropy.tables import N_INPUTS, N_LEARNED, STATE_BYTES, STEPS, state_views

from .symbol_pages import Group

PAGES = 60  # of a group, at most
FADED_PAGES = 10  # of a faded group; with more, full pages take 1 % more, for their headers most of all
WARMUP_PAGES = 60  # learned from at the higher rate
WARMUP_RATE, RATE = 12, 13  # shifts: the higher rate is the smaller one
LIMIT = 1023
N_USED = 25  # inputs of the mixers that mean something
ONE = 65536  # of a weight
DOUBT_SHARE = 0.002  # of the characters that are made uncertain
DOUBT_RUN = 4  # characters, on average
N_LEVELS = 16

State = npt.NDArray[np.uint8]


def logistic_tables() -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]:
    """`stretch` and `squash`, as in `PriorTables`."""
    logits = np.arange(-2048, 2048) / 256
    squash = np.clip(np.floor(65536 / (1 + np.exp(-logits))), 1, 65535).astype(np.uint16)
    share = (np.arange(4096) + 0.5) / 4096
    return np.clip(np.round(256 * np.log(share / (1 - share))), -2047, 2047).astype(np.int16), squash


def initial_state(squash: npt.NDArray[np.uint16]) -> State:
    """uint8 [STATE_BYTES]: a state that has seen nothing."""
    state = np.zeros(STATE_BYTES, dtype=np.uint8)
    views = state_views(state)
    zeros, ones = np.divmod(np.arange(256), 16)
    views["histories"][:] = ((2 * ones + 1) * 4194303 // (2 * (zeros + ones) + 2)).astype(np.uint32) << 10
    views["symbols"][:] = ((5 * ones + 1) * 4194303 // (5 * (zeros + ones) + 2)).astype(np.uint32) << 10
    views["nodes"][:] = squash[2048 + (np.arange(64) - 32) * 60].astype(np.uint32) << 16
    views["matches"][:] = np.uint32(3 << 20) << 10
    views["levels"][:] = np.uint32(1 << 21) << 10
    for name in ("by_node", "by_rank", "by_character", "by_seen", "by_order"):
        views[name][:, :N_LEARNED] = ONE // 5
        views[name][:, N_LEARNED:N_USED] = 3 * ONE // 10
    views["final"][:, :5] = ONE // 5
    steps = squash[np.clip(np.arange(STEPS + 1) * 128, 1, 4095)]
    views["node_maps"][:] = views["pair_maps"][:] = steps
    assert N_USED <= N_INPUTS
    return state


def learn(kernel: Kernel, groups: Sequence[Group], seed: int = 0) -> None:
    """Lets the state in the tables of `kernel` learn from the pages set aside, in place."""
    generator = random.Random(seed)
    pages = [page for group in groups for page in group.aside[: FADED_PAGES if group.faded else PAGES]]
    generator.shuffle(pages)
    for number, page in enumerate(pages):
        levels = doubts(len(page.symbols), generator)
        rate = WARMUP_RATE if number < WARMUP_PAGES else RATE
        result = kernel.library.foxing_learn(
            *(ctypes.byref(kernel.model), pointer(kernel.tables.state), rate, LIMIT),
            *(pointer(page.symbols), pointer(page.rare), pointer(levels), len(levels)),
        )
        if result:
            raise ValueError("a page of the corpus has symbols that no page has")


def doubts(cells: int, generator: random.Random) -> npt.NDArray[np.uint8]:
    """uint8 [cells]: levels of confidence as a clear page has them: nearly all 0, the others in short runs. On one page
    of eight they are ten times as many."""
    drawn = np.random.default_rng(generator.getrandbits(32))
    share = DOUBT_SHARE * (10 if generator.random() < 0.125 else 1) * generator.random()
    levels = np.zeros(cells, dtype=np.uint8)
    for start in np.flatnonzero(drawn.random(cells) < share / DOUBT_RUN):
        length = 1 + int(drawn.exponential(DOUBT_RUN))
        levels[start : start + length] = drawn.integers(0, N_LEVELS, len(levels[start : start + length]))
    return levels
