"""Values and small steps of the kernel in Python, as `mixing.c` has and explains them."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from foxing.encoder.native.entropy.tables import N_INPUTS, N_MATCH, N_SYMBOL

LEFT, RARE_BASE, FULL_WIDTH_BASE = 256, 1024, 4096
RARE_BITS, LEVEL_BITS = 11, 4
RARE_NODES = NODE_MAPS = 1024
PAIR_MAPS = 4096
BUCKET_BITS, BUCKET_LEVELS, MATCH_BITS = 15, 3, 14
WEIGHT_LIMIT, LOGIT_LIMIT, MIN_PROBABILITY, FINAL_SHIFT = 1 << 19, 2047, 16, 16
FIRST, RIGHT, RARE_INDEX = 0, 1, 2
LETTER, DIGIT, RARE, FULL_WIDTH = 1, 2, 4, 5
SHARE_BOUNDS = (700, 1500, 2500, 4000, 6500, 10000, 15000, 21000, 28000, 36000, 44000, 52000, 58500, 63000)
FADED = (0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7)
MATCH_CHARACTERS = (7, 4)
MASK32, MASK64 = (1 << 32) - 1, (1 << 64) - 1

Ints = npt.NDArray[np.int64]
Symbols = npt.NDArray[np.uint16]
Levels = npt.NDArray[np.uint8]


def mix(hashed: int, value: int) -> int:
    hashed = (hashed ^ value) * 0x9E3779B97F4A7C15 & MASK64
    return hashed ^ hashed >> 29


def clamp(value: int, limit: int) -> int:
    return max(-limit, min(limit, value))


def learn(entries: npt.NDArray[np.uint32], index: int, bit: int, limit: int) -> None:
    entry = int(entries[index])
    count, probability = min(entry & 1023, limit), entry >> 10
    probability += ((4194303 if bit else 0) - probability) * (131072 // (2 * count + 3)) >> 16
    entries[index] = probability << 10 | (count + 1 if count < limit else count)


def next_history(history: int, bit: int) -> int:
    zeros, ones = history >> 4, history & 15
    if bit:
        return FADED[zeros] << 4 | min(15, ones + 1)
    return min(15, zeros + 1) << 4 | FADED[ones]


def share_level(share: int) -> int:
    step = 512 if share >= 65536 else share >> 7
    return 1 + sum(step * 128 + 64 > bound for bound in SHARE_BOUNDS) if step else 0


def match_level(length: int) -> int:
    if length < 16:
        return length
    return 16 + (length - 16) // 4 if length < 24 else 18 + (length - 24) // 8 if length < 48 else 21 + (length >= 64)


def decision_cost(probability: int) -> int:
    doublings = 0
    while probability < 32768:
        probability, doublings = probability << 1, doublings + 1
    return 16 * doublings + (65536 - probability >> 11)


def bucket_of(key: int, buckets: int) -> int:
    return (key >> 32) * buckets >> 32


def node_key(context: int, node: int) -> int:
    return mix(context, node + 0x1234567)


def symbol_key(context: int, rank: int, alphabet: int) -> int:
    return mix(context, 0x51ED + rank * 2 + alphabet)


@dataclass
class Choice:
    """A symbol while it is coded."""

    learned: list[int]
    fixed: list[int]
    alphabet: int
    node: int
    last: int
    #: Symbols and their shares by context of the static table, those that the decisions so far leave possible.
    candidates: list[list[tuple[int, int]]] = field(default_factory=lambda: [[] for _ in range(N_SYMBOL)])
    #: The symbol that follows each match; -1 if none does, or it is ruled out.
    expected: list[int] = field(default_factory=lambda: [-1] * N_MATCH)
    histories: list[bytearray] = field(default_factory=list)
    depth: int = 0
    local: int = 0
    prefix: int = 1

    @property
    def number(self) -> int:
        """Of the node, among those of all alphabets."""
        return RARE_NODES + self.prefix if self.alphabet == RARE_INDEX else self.node


@dataclass
class Decision:
    """A decision of it."""

    inputs: Ints = field(default_factory=lambda: np.zeros(N_INPUTS, dtype=np.int64))
    known: list[int] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)
    matched: list[int] = field(default_factory=list)
    seen: int = 0
    order: int = 0
    rank: int = 0
    match: int = 0
    weights: list[npt.NDArray[np.int32]] = field(default_factory=list)
    final: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, dtype=np.int32))
    logits: list[int] = field(default_factory=list)
    guesses: list[int] = field(default_factory=list)
    mixed: int = 0
    probability: int = 0
    #: The nearest steps of the two maps, and the map of each.
    steps: list[tuple[npt.NDArray[np.uint16], int]] = field(default_factory=list)
