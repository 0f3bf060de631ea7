"""Builds the kernel with sanitizers and runs it on damaged streams."""

import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from foxing.api.demo.conversation import STARTS_AT, demo_conversation
from foxing.encoder.native.decoder import PageStreams
from foxing.encoder.native.entropy import kernel as kernel_module
from foxing.encoder.native.entropy.alphabet import LEFT
from foxing.encoder.native.entropy.confidence import LEVEL_CONFIDENCE
from foxing.encoder.native.entropy.kernel import Kernel
from foxing.encoder.native.entropy.stream import CUT
from foxing.encoder.native.weights import load_weights
from foxing.renderer import Entry, Typesetter
from foxing.renderer.page import BLANK

KERNEL_FOLDER = Path(kernel_module.__file__).parent
HARNESS = Path(__file__).with_name("harness.c")
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=c11", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
#: Undefined behaviour ends the program; failed allocations are returned to the kernel, which must handle them.
OPTIONS = {"ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
FOREVER = 10**15
TEXTS = (
    "안녕하세요, 내일 회의 시간을 오후 세 시로 바꿀 수 있을까요? 네, 가능합니다.",
    "你好，明天的会议可以改到下午三点吗？ おはようございます。会議室は三階の青い部屋です。",
    "αβγ ☃ ŵ ẞ ⅔ ∮ ┼ 🦊 🧭 龠 뷁 3f9a0c77-5d1e-4b7f-9a55-0e8d2c6b1f04",
)
ROWS, MAX_BYTES = (1, 2, 5, 5, 12, 20), (19_200, 300, 120)


class SanitizerMissing(Exception):
    """No C compiler with a working address sanitizer was found."""


class SanitizerReport(Exception):
    """A sanitizer or the harness stopped the kernel; the message is its report."""


class FuzzedInputs(NamedTuple):
    """Number of inputs that the kernel survived."""

    inputs: int
    #: Inputs that decode to a page.
    accepted: int


def build(folder: Path) -> Path:
    """Compiles the harness into `folder` and returns its path. Raises `SanitizerMissing`."""
    compiler = (os.environ.get("CC") or next(filter(None, map(shutil.which, COMPILERS)), "")).split()
    if not compiler:
        raise SanitizerMissing(f"there is no C compiler ({', '.join(COMPILERS)})")
    probe, program = folder / "probe.c", folder / "probe"
    probe.write_text("int main(void) { return 0; }\n")
    for command in ([*compiler, *FLAGS, "-o", str(program), str(probe)], [str(program)]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SanitizerMissing(f"{compiler[0]} has no working address sanitizer: {done.stderr.strip()}")
    harness = folder / "harness"
    command = [*compiler, *FLAGS, "-I", str(KERNEL_FOLDER), "-o", str(harness), str(HARNESS)]
    subprocess.run(command, check=True)
    return harness


def write_corpus(path: Path) -> None:
    """Writes the tables of the released weights and streams of real pages to `path`, for the harness."""
    weights = load_weights()
    streams = PageStreams(weights.prior, weights.charset)
    with path.open("wb") as file:
        written = list(_streams(streams, Typesetter(repertoire=weights.charset.repertoire)))
        for array in (*_tables(streams.kernel), struct.pack("<3i", *_numbers(streams.kernel), len(written))):
            file.write(struct.pack("<I", len(array)) + array)
        for cells, data in written:
            file.write(struct.pack("<Ii", 4, cells) + struct.pack("<I", len(data)) + data)


def run(harness: Path, corpus: Path, *, seed: int, inputs: int = FOREVER, seconds: int = FOREVER) -> FuzzedInputs:
    """Runs the harness until the kernel has had `inputs` inputs, or for `seconds` seconds. Raises `SanitizerReport`."""
    command = [str(harness), str(corpus), *map(str, (seed, inputs, seconds))]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **OPTIONS})
    if done.returncode:
        raise SanitizerReport(done.stderr)
    return FuzzedInputs(**json.loads(done.stdout))


def _tables(kernel: Kernel) -> Iterator[bytes]:
    tables = kernel.tables
    for array in (tables.stretch, tables.squash, tables.children, *tables.paths, tables.kinds):
        yield array.tobytes()
    for array in (tables.nodes, tables.symbols, tables.state):
        yield array.tobytes()


def _numbers(kernel: Kernel) -> tuple[int, int]:
    return kernel.rare_class, kernel.newline


def _streams(streams: PageStreams, typesetter: Typesetter) -> Iterator[tuple[int, bytes]]:
    """Yields the number of cells and the stream of pages, complete and truncated to a maximum size."""
    generator = np.random.default_rng(5)
    talk = [(m.role, str(m.content)) for m in demo_conversation()]
    for number, rows in enumerate(ROWS):
        texts = [("user", text) for text in TEXTS] * 3 + talk[7 * number :]
        entries = [Entry(str(i), role, text, STARTS_AT, "t") for i, (role, text) in enumerate(texts)]
        cells = typesetter.page(entries).cells[:rows]
        grid = streams.alphabet.symbols(np.where(cells == BLANK, 0x20, cells))
        confidence = generator.choice(LEVEL_CONFIDENCE, cells.shape, p=[0.97, *[0.002] * 15]).astype(np.float32)
        confidence[:, 1:] = np.where(grid.symbols[:, :-1] >= LEFT, confidence[:, :-1], confidence[:, 1:])
        for max_bytes in MAX_BYTES:
            data = streams.write(grid, confidence, max_bytes)
            cut = data[0] >= CUT
            yield (int.from_bytes(data[1:3], "little"), data[3:]) if cut else (cells.size, data[1:])
