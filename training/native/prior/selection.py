"""Fills the static tables with the candidates that save the most bits."""

import ctypes
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from foxing.encoder.native.entropy.kernel import Kernel, pointer
from foxing.encoder.native.entropy.tables import BUCKET_ENTRIES, RANKS, RIGHT_NODES, SHARES

from .candidates import Candidates, Weight
from .symbol_pages import FADED, Group

NODE_BUCKETS, SYMBOL_BUCKETS = 375_000, 650_000  # 3.0 and 7.8 MB
SPARE = 1.3  # candidates offered per entry; those whose bucket is full are dropped
LOGIT_STEP = 60 / 256  # between two levels of a node's probability
SMALL_GROUP = 150  # pages
FADED_WEIGHT = 0.5  # of an occurrence on a faded page, relative to one on a full page of the file

#: Weight of a bit saved on a group's texts. Small groups have few occurrences and would otherwise get no entries;
#: languages far better than their target yield theirs.
GROUP_WEIGHTS: Mapping[str, float] = {
    "zh_kdconv": 10.0,
    "fr_tldr": 10.0,
    "zh_tldr": 4.0,
    "ru_tldr": 3.0,
    "ja_tldr": 2.0,
    "en_sgd": 0.9,
    "de_gesetze": 0.8,
    "en_irc": 0.6,
    "ja_real_persona_chat": 0.6,
    "ko_nsmc": 0.5,
    "code_python": 0.2,
}


def group_weight(group: Group) -> Weight:
    """Returns the weight of a group. A large group has more pages, but is not worth more; a faded one repeats pages of
    another group, with gaps."""
    occurrence = float((100 / max(group.size, 30)) ** 0.5)
    if group.faded:
        occurrence *= FADED_WEIGHT
    bit = occurrence * GROUP_WEIGHTS.get(group.name.removesuffix(FADED), 1.0)
    return Weight(occurrence, bit, once=group.size < SMALL_GROUP and not group.faded)


def fill_nodes(kernel: Kernel, candidates: Candidates) -> npt.NDArray[np.uint16]:
    """Returns the table of nodes, uint16 [NODE_BUCKETS, 4]."""
    table = np.zeros((NODE_BUCKETS, BUCKET_ENTRIES), dtype=np.uint16)
    best = _best(candidates, table.size)
    share = (best.counts + 0.3) / (best.totals + 0.6)
    levels = np.clip(np.round(np.log(share / (1 - share)) / LOGIT_STEP) + 32, 1, 63).astype(np.uint8)
    count = kernel.library.foxing_fill_nodes(
        *(pointer(table), NODE_BUCKETS, pointer(best.contexts), pointer(best.items), pointer(levels)),
        ctypes.c_int64(len(levels)),
    )
    print(f"nodes: {count} of {len(candidates.gains)} candidates fill {count / table.size:.0%}", flush=True)
    return table


def fill_symbols(kernel: Kernel, candidates: Candidates) -> npt.NDArray[np.uint8]:
    """Returns the table of symbols, uint8 [SYMBOL_BUCKETS, 4, 3]."""
    table = np.zeros((SYMBOL_BUCKETS, BUCKET_ENTRIES, 3), dtype=np.uint8)
    best, ranks = _ranked(_best(candidates, SYMBOL_BUCKETS * BUCKET_ENTRIES))
    share = (best.counts - 0.3) / (best.totals + 0.4)
    levels = np.abs(np.array(SHARES) / 65536 - share[:, None]).argmin(1).astype(np.uint8)
    count = kernel.library.foxing_fill_symbols(
        *(pointer(table), SYMBOL_BUCKETS, pointer(best.contexts), pointer(ranks), pointer(best.items), pointer(levels)),
        ctypes.c_int64(len(levels)),
    )
    filled = count / (SYMBOL_BUCKETS * BUCKET_ENTRIES)
    print(f"symbols: {count} of {len(candidates.gains)} candidates fill {filled:.0%}", flush=True)
    return table


def _best(candidates: Candidates, entries: int) -> Candidates:
    """Candidates with the highest gains, best first."""
    return _taken(candidates, np.argsort(-candidates.gains, kind="stable")[: int(entries * SPARE)])


def _ranked(candidates: Candidates) -> tuple[Candidates, npt.NDArray[np.uint8]]:
    """Candidates in the order of their gains, and the frequency rank of each within its context, uint8 [n], without
    ranks beyond the table."""
    keys = candidates.contexts ^ (candidates.items >= RIGHT_NODES).astype(np.uint64)
    order = np.lexsort((-candidates.counts, keys))
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    ranks = np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))
    within = ranks < RANKS
    order, ranks = order[within], ranks[within]
    by_gain = np.lexsort((ranks, -candidates.gains[order]))
    return _taken(candidates, order[by_gain]), ranks[by_gain].astype(np.uint8)


def _taken(candidates: Candidates, places: npt.NDArray[np.int64]) -> Candidates:
    return Candidates(*(np.ascontiguousarray(column[places]) for column in candidates))
