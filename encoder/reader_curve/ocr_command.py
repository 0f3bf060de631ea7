"""OCR engine of the machine, run as a command, to read sample pages in place of a model."""

import shutil
import subprocess

from foxing.encoder.errors import CodecError, ReadFailed

from .chat import ChatAnswer

#: Page segmentation: one block of text. Tesseract's own analysis takes columns of a dense page for a table.
_ONE_BLOCK = "6"
_VERSION_TIMEOUT_S = 10.0
QUOTED_CHARS = 200  # of what it wrote to stderr


class TesseractCommand:
    """The command `tesseract`, with its English data."""

    def __init__(self, timeout_s: float) -> None:
        """`timeout_s`: maximum time for a page. Raises `CodecError` if the command or its English data is missing."""
        self._timeout_s = timeout_s
        path = shutil.which("tesseract")
        if path is None:
            raise CodecError(
                "the command tesseract was not found; install it (Debian and Ubuntu: apt install tesseract-ocr; macOS: "
                "brew install tesseract), or calibrate a model with --url and --model"
            )
        self._path = path
        words = self._run(["--version"], b"", _VERSION_TIMEOUT_S).split()
        #: Name and version, such as "tesseract 5.3.0".
        self.name = " ".join(words[:2])
        if "eng" not in self._run(["--list-langs"], b"", _VERSION_TIMEOUT_S).split():
            raise CodecError(
                "tesseract has no English data; install it (Debian and Ubuntu: apt install tesseract-ocr-eng), or set "
                "TESSDATA_PREFIX to the folder that holds eng.traineddata"
            )

    def read(self, png: bytes) -> ChatAnswer:
        """Returns the text of an image. Raises `ReadFailed`."""
        return ChatAnswer(self._run(["stdin", "stdout", "--psm", _ONE_BLOCK, "-l", "eng"], png, self._timeout_s))

    def _run(self, arguments: list[str], input_bytes: bytes, timeout_s: float) -> str:
        """Returns the output of the command. Raises `ReadFailed`, with what it wrote to stderr."""
        try:
            done = subprocess.run(
                [self._path, *arguments], input=input_bytes, capture_output=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise ReadFailed(f"tesseract did not finish within {timeout_s:g} s; raise the option 'timeout'") from error
        except OSError as error:
            raise ReadFailed(f"the command {self._path} cannot be run ({error}); check its permissions") from error
        if done.returncode:
            reason = " ".join(done.stderr.decode(errors="replace").split())
            raise ReadFailed(
                f"tesseract failed with status {done.returncode}: {reason[:QUOTED_CHARS] or 'it gave no reason'}"
            )
        return done.stdout.decode(errors="replace")
