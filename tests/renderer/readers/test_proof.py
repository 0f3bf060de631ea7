"""Proof-reading of page images: what the type of a reader does not show, and images that are not as they should be."""

import io
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from foxing.renderer import Entry, PageLayout, RenderError
from foxing.renderer.glyphs import glyph_halves
from foxing.renderer.layout import FontName
from foxing.renderer.readers import (
    PageImage,
    ProofReader,
    Reader,
    digest_of,
    margin_px,
    packaged_readers,
    page_images,
    proof_read,
    reader_layout,
    require_exact,
)
from foxing.renderer.type_proof import TypeProof, type_proof

SAID_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
READERS = packaged_readers()
SEEING = [reader for reader in READERS.values() if reader.accepts_images]
WORDS = "The order W4923227 of 14 March costs 1,380.50 and is in box 0xC0FFEE, shelf B-8; Mina has it. "


def image_of(reader: Reader, text: str) -> PageImage:
    return page_images([Entry("1", "user", text, SAID_AT, ref="k7q")], reader)[0]


def proof_of(text: str, font: FontName, width_px: int, height_px: int) -> TypeProof:
    layout = PageLayout(columns=9, rows=1, cell_width_px=width_px, cell_height_px=height_px, font=font, wrap="words")
    return type_proof(np.array([[*map(ord, text)]], dtype=np.uint32), layout)


def pixels_of(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L")).copy()


def png_of(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("reader", SEEING, ids=lambda reader: reader.name)
def test_the_images_of_every_reader_are_exact(reader: Reader) -> None:
    for image in page_images([Entry("1", "user", WORDS * 40, SAID_AT, ref="k7q")], reader):
        proof = proof_read(image)
        assert proof.exact
        assert proof.cells == image.page.cells.size
        assert proof.digest == digest_of(image.png)
        assert not proof.type.missing | proof.type.clipped


@pytest.mark.parametrize("name", ["claude-fable-5", "claude-opus-5", "claude", "native"])
def test_an_image_that_is_not_as_it_should_be_is_found(name: str) -> None:
    image = image_of(READERS[name], WORDS * 20)
    layout = image.page.layout
    width, height = layout.cell_width_px, layout.cell_height_px
    left, above = margin_px(layout)
    row, column = 2, 11
    top, side = above + row * height, left + column * width

    flipped = pixels_of(image.png)
    flipped[top + height - 1, side + width - 1] ^= 255
    assert proof_read(image, png_of(flipped)).misdrawn == ((row, column),)

    swapped = pixels_of(image.png)
    rows = slice(top, top + height)
    swapped[rows, side : side + width], swapped[rows, side + width : side + 2 * width] = (
        swapped[rows, side + width : side + 2 * width].copy(),
        swapped[rows, side : side + width].copy(),
    )
    cells = image.page.cells[row, column : column + 2]
    assert proof_read(image, png_of(swapped)).exact == (cells[0] == cells[1])

    cut = pixels_of(image.png)[: above + image.page.rows_used * height - height // 2]
    wrong = proof_read(image, png_of(cut)).misdrawn
    assert {row for row, _ in wrong} == {image.page.rows_used - 1}
    assert len(wrong) == layout.columns

    if above:
        stray = pixels_of(image.png)
        stray[0, 0] = 0
        proof = proof_read(image, png_of(stray))
        assert (proof.misdrawn, proof.stray_px, proof.exact) == ((), 1, False)


def test_an_image_that_is_not_exact_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_of(READERS["claude-opus-5"], WORDS)
    assert require_exact(image).exact
    spoilt = image_of(READERS["claude-opus-5"], WORDS)
    pixels = pixels_of(spoilt.png)
    vars(spoilt)["png"] = png_of(np.roll(pixels, 1, axis=0))
    with pytest.raises(RenderError, match=r"does not show its text exactly: \d+ of \d+ cells"):
        require_exact(spoilt)


def test_characters_that_differ_by_two_pixels_are_found() -> None:
    small = proof_of("0138lO8nh5rm", "spleen-5x8", 5, 8)
    assert set(small.similar) == set("038lO8nh5")
    assert small.similar["0"] == "O"
    assert small.similar["3"] == "8"
    assert small.similar["8"] == "36"
    for doubtful in ("2O26", "shelf 8", "l", "10"):
        assert small.is_unsafe(doubtful)
    for safe in ("", "1", "14", "27", "4f"):
        assert not small.is_unsafe(safe)
    for font, width, height in (("jetbrains-mono-14", 9, 16), ("unifont", 8, 16), ("dejavu-sans-mono", 10, 16)):
        assert proof_of("".join(map(chr, range(33, 127))), font, width, height).similar == {}  # type: ignore[arg-type]


def test_the_same_picture_of_two_letters_is_found() -> None:
    assert proof_of("а", "unifont", 8, 16).similar == {"а": "a"}  # Cyrillic and Latin
    assert proof_of("a", "unifont", 8, 16).similar == {}
    assert proof_of("aа", "unifont", 8, 16).similar == {"a": "а", "а": "a"}
    assert proof_of("한글", "unifont", 8, 16).similar == {}


def test_two_letters_that_look_like_one_are_found() -> None:
    """No grid of a packaged type has such a pair; the smallest cells of the outline font do not either."""
    found: Mapping[str, str] = proof_of("rnm", "dejavu-sans-mono", 4, 8).similar
    assert not [sequence for sequence in found if len(sequence) > 1]
    layout = reader_layout(READERS["claude-fable-5"])
    r, n, m = 255 - glyph_halves(np.array([*map(ord, "rnm")], dtype=np.uint32), layout)[:, 0].astype(int)
    both, blank = np.concatenate([r, n], axis=1), np.zeros((8, 5), dtype=int)
    shifted = [np.concatenate([blank[:, :at], m, blank[:, at:]], axis=1) for at in range(6)]
    assert min(int(abs(both - each).sum()) for each in shifted) == 15 * 255
    proof = TypeProof(similar={"rn": "m"})
    assert proof.is_unsafe("barn7")
    assert not proof.is_unsafe("bar7n")


def test_missing_and_clipped_characters_are_found() -> None:
    assert proof_of("aé→", "spleen-5x8", 5, 8).missing == {"é", "→"}
    assert proof_of("aé→", "unifont", 8, 16).missing == frozenset()
    assert proof_of("AÑÕ", "dejavu-sans-mono", 10, 16).clipped == {"Ñ", "Õ"}
    assert proof_of("AÑÕ", "dejavu-sans-mono", 12, 24).clipped == frozenset()
    letters = "".join(map(chr, (*range(0xA1, 0x250), *range(0x400, 0x460))))
    assert len(proof_of(letters, "dejavu-sans-mono", 10, 16).clipped) == 81
    assert len(proof_of(letters, "dejavu-sans-mono", 12, 24).clipped) == 6
    assert proof_of("Ñandu-7", "dejavu-sans-mono", 10, 16).is_unsafe("Ñ7")


def test_an_image_is_proof_read_once() -> None:
    proofs, image = ProofReader(), image_of(READERS["claude-fable-5"], WORDS * 60)
    same = image_of(READERS["claude-fable-5"], WORDS * 60)
    threads = [Thread(target=proofs.read, args=(each,)) for each in (image, same) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert proofs.count == 1
    assert proofs.read(same) is proofs.read(image)
    proofs.read(image_of(READERS["claude-fable-5"], WORDS * 61))
    assert proofs.count == 2


def test_old_proofs_are_dropped() -> None:
    proofs = ProofReader(capacity=2)
    images = [image_of(READERS["claude-opus-5"], f"{number} ") for number in range(3)]
    for image in (*images, images[0]):
        proofs.read(image)
    assert proofs.count == 4


@pytest.mark.slow
def test_an_image_of_28_000_cells_is_proof_read_in_a_fifth_of_a_second() -> None:
    image = image_of(READERS["claude-fable-5"], WORDS * 400)
    assert image.page.cells.size > 28_000
    proof_read(image)  # loads the type
    times = []
    for _ in range(5):
        fresh = PageImage(image.page, image.width_px, image.height_px, image.tokens)
        started = time.thread_time()
        proof_read(fresh, image.png)
        times.append(time.thread_time() - started)
    assert min(times) < 0.2
