"""Initial state of a page: the meaning of decision histories, and the weight of each context."""

import ctypes
import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foxing.encoder.native.entropy.kernel import Kernel, pointer
from foxing.encoder.native.entropy.tables import N_INPUTS, N_LEARNED, STATE_BYTES, STEPS, state_views

from .symbol_pages import Group

PAGES = 60  # maximum per group
FADED_PAGES = 10  # maximum per faded group; with more, full pages take 1 % more bytes, mainly for headers
WARMUP_PAGES = 60  # trained on at the higher rate
WARMUP_RATE, RATE = 12, 13  # shifts: the higher rate is the smaller one
LIMIT = 1023
N_USED = 25  # inputs of the mixers in use
ONE = 65536  # fixed-point 1.0 of a weight
UNCERTAIN_SHARE = 0.002  # of the characters
UNCERTAIN_RUN = 4  # characters, on average
N_LEVELS = 16

State = npt.NDArray[np.uint8]


def logistic_tables() -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]:
    """Returns the tables `stretch` and `squash` of `PriorTables`."""
    logits = np.arange(-2048, 2048) / 256
    squash = np.clip(np.floor(65536 / (1 + np.exp(-logits))), 1, 65535).astype(np.uint16)
    share = (np.arange(4096) + 0.5) / 4096
    return np.clip(np.round(256 * np.log(share / (1 - share))), -2047, 2047).astype(np.int16), squash


def initial_state(squash: npt.NDArray[np.uint16]) -> State:
    """Returns an untrained state, uint8 [STATE_BYTES]."""
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
    """Trains the state in the tables of `kernel` on the pages set aside, in place."""
    generator = random.Random(seed)
    pages = [page for group in groups for page in group.aside[: FADED_PAGES if group.faded else PAGES]]
    generator.shuffle(pages)
    for number, page in enumerate(pages):
        levels = uncertain_levels(len(page.symbols), generator)
        rate = WARMUP_RATE if number < WARMUP_PAGES else RATE
        result = kernel.library.foxing_learn(
            *(ctypes.byref(kernel.model), pointer(kernel.tables.state), rate, LIMIT),
            *(pointer(page.symbols), pointer(page.rare), pointer(levels), len(levels)),
        )
        if result:
            raise ValueError("a page of the corpus has invalid symbols")


def uncertain_levels(cells: int, generator: random.Random) -> npt.NDArray[np.uint8]:
    """Returns levels of confidence as on a clear page, uint8 [cells]: nearly all 0, the others in short runs. One page
    in eight has ten times as many."""
    drawn = np.random.default_rng(generator.getrandbits(32))
    share = UNCERTAIN_SHARE * (10 if generator.random() < 0.125 else 1) * generator.random()
    levels = np.zeros(cells, dtype=np.uint8)
    for start in np.flatnonzero(drawn.random(cells) < share / UNCERTAIN_RUN):
        length = 1 + int(drawn.exponential(UNCERTAIN_RUN))
        levels[start : start + length] = drawn.integers(0, N_LEVELS, len(levels[start : start + length]))
    return levels
