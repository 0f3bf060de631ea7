"""Pages that were encoded on one processor are read on another, whichever instruction sets torch, oneDNN and OpenBLAS
use: the reading is computed in integers. The bytes of a stream may differ, because the confidences of the encoder are
floating point numbers, rounded to 16 levels."""

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from foxing.encoder import Codec, VisionTokens, load_codec
from foxing.encoder.conformance import sample_page
from foxing.encoder.native import runner
from foxing.renderer import render

TIERS = ("base", "tiny", "micro")
#: Settings under which the libraries do without newer instructions, and the encoder computes as on a processor that has
#: bfloat16.
PROCESSORS: Mapping[str, Mapping[str, str]] = {
    "no AVX": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem"},
    "AVX": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "AVX", "OPENBLAS_CORETYPE": "Sandybridge"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"},
    "bfloat16": {"FOXING_TEST_DTYPE": "bfloat16"},
}

Encoded = dict[str, VisionTokens]


def encoded(codec: Codec) -> Encoded:
    """Tier → tokens of a page of English."""
    page = sample_page(codec, 60)
    images = {tier: render(page.cells, page.layout, tier) for tier in TIERS}
    return {tier: codec.encode([image], tier)[0] for tier, image in images.items()}


def read(codec: Codec, tokens: Sequence[VisionTokens]) -> list[tuple[bytes, bytes]]:
    """Cells and confidences of each reading, to be compared."""
    return [(each.cells.tobytes(), each.confidence.tobytes()) for each in codec.decode(tokens)]


def main(folder: Path) -> None:
    """Encodes the page, and reads what another process has encoded."""
    if os.environ.get("FOXING_TEST_DTYPE"):
        runner.fast_dtype = lambda device: torch.bfloat16
    codec = load_codec("native", device="cpu")
    given: list[VisionTokens] = pickle.loads((folder / "given").read_bytes())
    own = encoded(codec)
    (folder / "own").write_bytes(pickle.dumps((own, read(codec, given), read(codec, list(own.values())))))


@pytest.mark.slow
@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_page_of_one_processor_is_read_on_another(tmp_path: Path, processor: str) -> None:
    codec = load_codec("native", device="cpu")
    ours = encoded(codec)
    (tmp_path / "given").write_bytes(pickle.dumps(list(ours.values())))
    subprocess.run(
        [sys.executable, __file__, str(tmp_path)], env={**os.environ, **PROCESSORS[processor]}, check=True, timeout=600
    )
    theirs, ours_read_there, theirs_read_there = pickle.loads((tmp_path / "own").read_bytes())
    assert read(codec, list(ours.values())) == ours_read_there
    assert read(codec, list(theirs.values())) == theirs_read_there
    for tier in TIERS:
        [here, there] = codec.decode([ours[tier], theirs[tier]])
        assert np.array_equal(here.cells, there.cells), tier
        assert abs(len(ours[tier].data) - len(theirs[tier].data)) <= len(ours[tier].data) / 100


if __name__ == "__main__":
    main(Path(sys.argv[1]))
