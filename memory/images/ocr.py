"""Reading of text in images, with Tesseract where the extra `ocr` is installed."""

import os
import sys
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

from PIL import Image

from .decoding import opened
from .files import ImageFile
from .text import MAX_READ_CHARS, ReadText

#: Pixels that are read; an image with more is scaled down.
_MAX_PIXELS = 4_000_000
#: Words that are read with less confidence are left out, as in a photograph without text.
_MIN_CONFIDENCE = 0.6
#: An image has text if a word is at least so long and read with so much confidence.
_SURE = 0.8
_SURE_CHARS = 3
_LANGUAGE = "eng"
#: An image that takes longer to read, such as one of noise, has no text.
_MAX_READ_MS = 10_000


class ImageTextReader:
    """Reads the text in images. Safe to share between threads, one image at a time."""

    def __init__(self, enabled: bool = True) -> None:
        self._enabled = enabled
        self._lock = Lock()
        self._engine: Any = None

    @property
    def available(self) -> bool:
        """True if images can be read."""
        with self._lock:
            if self._enabled and self._engine is None:
                self._engine = _load()
                self._enabled = self._engine is not None
            return self._enabled

    def read(self, file: ImageFile) -> ReadText:
        """Returns the text in an image. Raises `ImageRefused` if it cannot be decoded; call only if `available`."""
        pixels = _readable(opened(file))
        with self._lock:
            engine = self._engine
            engine.SetImage(pixels)
            return _text_of(engine) if engine.Recognize(_MAX_READ_MS) else ReadText("", 0.0)


def _load() -> Any:
    """Returns an engine; None if the extra or its language data is missing."""
    try:
        tesserocr = import_module("tesserocr")
    except ImportError:
        return None
    folder = _data_folder()
    if folder is None:
        return None
    return tesserocr.PyTessBaseAPI(
        path=str(folder), lang=_LANGUAGE, psm=tesserocr.PSM.SPARSE_TEXT, oem=tesserocr.OEM.LSTM_ONLY
    )


def _data_folder() -> Path | None:
    configured = os.environ.get("TESSDATA_PREFIX")
    folders = [Path(configured)] if configured else []
    folders.append(Path(sys.prefix) / "share" / "tessdata")
    return next((folder for folder in folders if (folder / f"{_LANGUAGE}.traineddata").is_file()), None)


def _readable(pixels: Image.Image) -> Image.Image:
    """Returns pixels of mode L on a white ground."""
    if pixels.mode in ("RGBA", "LA"):
        ground = Image.new("RGBA", pixels.size, "white")
        pixels = Image.alpha_composite(ground, pixels.convert("RGBA"))
    grey = pixels.convert("L")
    factor = (_MAX_PIXELS / (grey.width * grey.height)) ** 0.5
    return grey if factor >= 1 else grey.resize((int(grey.width * factor) or 1, int(grey.height * factor) or 1))


def _text_of(engine: Any) -> ReadText:
    tesserocr = import_module("tesserocr")
    lines = list[list[str]]()
    line = list[str]()
    read = list[tuple[float, int]]()
    for word in tesserocr.iterate_level(engine.GetIterator(), tesserocr.RIL.WORD) if engine.GetIterator() else ():
        if word.Empty(tesserocr.RIL.WORD):
            continue
        if word.IsAtBeginningOf(tesserocr.RIL.TEXTLINE) and line:
            lines.append(line)
            line = []
        word_text = word.GetUTF8Text(tesserocr.RIL.WORD).strip()
        confidence = word.Confidence(tesserocr.RIL.WORD) / 100
        if word_text and confidence >= _MIN_CONFIDENCE:
            line.append(word_text)
            read.append((confidence, len(word_text)))
    if not any(confidence >= _SURE and length >= _SURE_CHARS for confidence, length in read):
        return ReadText("", 0.0)
    text = "\n".join(" ".join(words) for words in [*lines, line] if words)[:MAX_READ_CHARS]
    characters = sum(length for _, length in read)
    confidence = sum(value * length for value, length in read) / characters if characters else 0.0
    return ReadText(text, round(confidence, 4))
