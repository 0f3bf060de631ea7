"""Tiny random checkpoints in their published format."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from support.deepseek_checkpoint import write_deepseek
from support.transformers_checkpoints import write_checkpoint

from foxing.encoder import VisionTokens
from foxing.encoder.conformance import sample_page
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.digest import weights_digest
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.renderer import PageLayout, render

pytest.importorskip("transformers", reason="needs transformers (the extra 'gpu')")


@pytest.fixture(scope="session")
def deepseek_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a DeepSeek-OCR checkpoint."""
    return write_deepseek(tmp_path_factory.mktemp("deepseek"))


@pytest.fixture(scope="session")
def make_deepseek() -> Callable[[Path, int], Path]:
    """Writes a DeepSeek-OCR checkpoint with the given seed into a folder."""
    return write_deepseek


@pytest.fixture(scope="session")
def small_page() -> PageLayout:
    """A layout of few cells, so that texts are short: square, uncropped, in the outline font."""
    return PageLayout(
        columns=8,
        rows=4,
        cell_width_px=160,
        cell_height_px=320,
        newline="break",
        font="dejavu-sans-mono",
        cropped=False,
    )


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a checkpoint of a model type other than DeepSeek-OCR, written once."""

    return cache(lambda kind: write_checkpoint(kind, tmp_path_factory.mktemp(kind)))


@pytest.fixture(scope="session")
def deepseek(deepseek_folder: Path) -> DeepSeekOcr:
    """The model of the DeepSeek-OCR checkpoint. Tests that change it use a copy."""
    return DeepSeekOcr.load(locate(str(deepseek_folder), None), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def deepseek_weights(deepseek_folder: Path) -> str:
    """The digest of its weights."""
    return weights_digest(locate(str(deepseek_folder), None))


@pytest.fixture(scope="session")
def local_codec(deepseek: DeepSeekOcr, deepseek_weights: str, small_page: PageLayout) -> VisionCodec:
    """The codec that decodes the DeepSeek-OCR checkpoint locally."""
    return VisionCodec(deepseek, deepseek_weights, layout=small_page)


@pytest.fixture(scope="session")
def tokens(local_codec: VisionCodec) -> list[VisionTokens]:
    """Two different pages at each of three tiers."""
    page = sample_page(local_codec)
    pages = [np.roll(page.cells, shift, axis=1) for shift in (0, 3)]
    return [
        item
        for tier in ("base", "small", "tiny")
        for item in local_codec.encode([render(cells, page.layout, tier) for cells in pages], tier)
    ]
