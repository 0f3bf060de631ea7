"""Trains the prior of the native codec on the same texts as the network, in about fifteen minutes and 4 GB on two
cores.

    python -m training.native.prior --data FOLDER --output prior.safetensors

FOLDER/train holds gzipped JSON Lines of messages. Some pages of each file are faded as well, with the costs of the
released prior, so that gaps are expected where they are likely. The static tables hold the entries that save the most
bits on texts that they were not counted on. The state then learns from pages left out of the tables how far to trust
them, and finally the tables are rebuilt from all pages. Needs the compiled kernel. `training.native.calibrate --prior`
puts the result into weights.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from foxing.encoder.errors import CodecError
from foxing.encoder.native.charset import Charset, load_charset
from foxing.encoder.native.entropy.kernel import Kernel
from foxing.encoder.native.entropy.tables import BUCKET_ENTRIES, PriorTables
from foxing.renderer.marks import NEWLINE_MARK

from .candidates import group_candidates, merged
from .learning import initial_state, learn, logistic_tables
from .selection import fill_nodes, fill_symbols, group_weight
from .symbol_pages import Group, load_groups
from .trees import children

LETTER, DIGIT, SPACE, SIGN = 1, 2, 3, 4


def train_prior(data: Path, charset: Charset) -> PriorTables:
    """Returns the tables trained on the texts in `data`. Raises `CodecError` if there are none."""
    groups = load_groups(data, charset)
    kernel = _kernel(_untrained(groups, charset), charset)
    kernel = _kernel(with_static(kernel, [replace(group, aside=()) for group in groups]), charset)
    learn(kernel, groups)
    return with_static(kernel, groups)


def with_static(kernel: Kernel, groups: Sequence[Group]) -> PriorTables:
    """Returns the tables of `kernel`, with static tables made from `groups`."""
    nodes, symbols = [], []
    for group in groups:
        if not group.pages:
            continue
        started = time.monotonic()
        by_node, by_symbol = group_candidates(kernel, group.pages, group_weight(group))
        nodes.append(by_node)
        symbols.append(by_symbol)
        counts = f"{len(by_node.gains)} nodes, {len(by_symbol.gains)} symbols"
        print(f"{group.name}: {counts}, {time.monotonic() - started:.0f} s", flush=True)
    tables = kernel.tables.to_arrays()
    tables["nodes"] = fill_nodes(kernel, merged(nodes))
    tables["symbols"] = fill_symbols(kernel, merged(symbols))
    return PriorTables.from_arrays(tables)


def _kernel(tables: PriorTables, charset: Charset) -> Kernel:
    return Kernel(tables, charset.rare_class, int(charset.cell_class[ord(NEWLINE_MARK)]))


def _untrained(groups: Sequence[Group], charset: Charset) -> PriorTables:
    """Tables trained on nothing but symbol frequencies."""
    stretch, squash = logistic_tables()
    kinds = np.zeros(256, dtype=np.uint8)
    for number, character in enumerate(charset.common):
        letter, digit = character.isalpha(), character.isdigit()
        kinds[number] = LETTER if letter else DIGIT if digit else SPACE if character == " " else SIGN
    return PriorTables(
        stretch,
        squash,
        children(groups),
        kinds,
        nodes=np.zeros((1, BUCKET_ENTRIES), dtype=np.uint16),
        symbols=np.zeros((1, BUCKET_ENTRIES, 3), dtype=np.uint8),
        state=initial_state(squash),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with status 1 and a message if training cannot start."""
    parser = argparse.ArgumentParser(
        prog="python -m training.native.prior",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="A folder with train/*.jsonl.gz.")
    parser.add_argument("--output", type=Path, required=True, help="The safetensors file to write.")
    given = parser.parse_args(arguments)
    try:
        tables = train_prior(given.data / "train", load_charset())
    except CodecError as error:
        sys.exit(f"error: {error}")
    save_file(tables.to_arrays(), given.output)


if __name__ == "__main__":
    main()
