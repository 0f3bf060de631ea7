"""Proof-reading of page images before they are given to a reader: each cell of the PNG is compared with the glyph that
the type defines for it, exactly."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from threading import Lock

import numpy as np
import numpy.typing as npt
from PIL import Image

from foxing.renderer.errors import RenderError
from foxing.renderer.glyphs import drawn_cells, glyph_halves
from foxing.renderer.type_proof import TypeProof

from .images import PageImage
from .reader import margin_px

_PAPER = 255
#: Value of pixels that an image does not have, neither paper nor full ink of any glyph.
_NO_PIXEL = -1
#: Number of proofs kept, about 1 kB each.
KEPT_PROOFS = 4096


@dataclass(frozen=True)
class Proof:
    """Result of proof-reading a page image."""

    #: Digest of the PNG, 32 hexadecimal digits.
    digest: str
    #: Number of cells compared.
    cells: int
    #: Row and column of the cells that do not show their glyph: drawn otherwise, or cut off with the image.
    misdrawn: tuple[tuple[int, int], ...]
    #: Number of pixels outside the grid that are not paper.
    stray_px: int
    #: Characters that the type does not show safely.
    type: TypeProof

    @property
    def exact(self) -> bool:
        """True if the image shows the glyph of every cell, and nothing else."""
        return not self.misdrawn and not self.stray_px


def digest_of(png: bytes) -> str:
    """Returns the digest of a PNG file, 32 hexadecimal digits."""
    return hashlib.blake2b(png, digest_size=16).hexdigest()


def proof_read(image: PageImage, png: bytes | None = None) -> Proof:
    """Proof-reads a page image. `png`: the file, by default that of the image. Raises `OSError` for a file that is not
    an image."""
    png = image.png if png is None else png
    layout = image.page.layout
    cells = image.page.cells
    width = layout.cell_width_px
    height = layout.cell_height_px
    rows, columns = cells.shape
    left, above = margin_px(layout)
    pixels = np.asarray(Image.open(BytesIO(png)).convert("L"))
    grid = _cropped(pixels, above, left, rows * height, columns * width)
    drawn = grid.reshape(rows, height, columns, width).transpose(0, 2, 1, 3)
    points, chosen = drawn_cells(cells)
    halves = glyph_halves(points, layout).reshape(-1, height, width)
    wrong = (drawn != halves[chosen]).any(axis=(2, 3))
    outside = pixels != _PAPER
    outside[above : above + rows * height, left : left + columns * width] = False
    places = tuple((row, column) for row, column in np.argwhere(wrong).tolist())
    return Proof(digest_of(png), cells.size, places, int(outside.sum()), image.type_proof)


def require_exact(image: PageImage) -> Proof:
    """Proof-reads a page image, and returns the proof. Raises `RenderError` if the image is not exact."""
    proof = proof_read(image)
    if not proof.exact:
        raise RenderError(
            f"a page image does not show its text exactly: {len(proof.misdrawn):,} of {proof.cells:,} cells differ "
            "from their glyphs; report this, with the versions of foxing and Pillow"
        )
    return proof


def _cropped(
    pixels: npt.NDArray[np.uint8], top: int, left: int, height: int, width: int
) -> npt.NDArray[np.uint8] | npt.NDArray[np.int16]:
    """Returns the part of an image from `top` and `left` on, filled with `_NO_PIXEL` where the image ends earlier."""
    part = pixels[top : top + height, left : left + width]
    if part.shape == (height, width):
        return part
    missing = ((0, height - part.shape[0]), (0, width - part.shape[1]))
    return np.pad(part.astype(np.int16), missing, constant_values=_NO_PIXEL)


class ProofReader:
    """Proof-reads page images, each once: proofs are kept by the digest of the image. Safe to share between threads."""

    def __init__(self, capacity: int = KEPT_PROOFS) -> None:
        """`capacity`: maximum number of proofs to keep."""
        self._capacity = capacity
        self._proofs: OrderedDict[str, Proof] = OrderedDict()
        self._lock = Lock()
        #: Number of images that were proof-read.
        self.count = 0

    def read(self, image: PageImage) -> Proof:
        """Returns the proof of an image. Threads wait for each other, so that none is read twice."""
        digest = digest_of(image.png)
        with self._lock:
            proof = self._proofs.get(digest)
            if proof is None:
                proof = self._proofs[digest] = proof_read(image)
                self.count += 1
            self._proofs.move_to_end(digest)
            while len(self._proofs) > self._capacity:
                self._proofs.popitem(last=False)
        return proof
