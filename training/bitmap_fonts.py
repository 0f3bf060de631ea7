"""Builds the bitmap fonts of readers, `renderer/data/spleen-5x8.npz` and `renderer/data/jetbrains-mono-14.npz`.

Spleen comes from `spleen-5x8.bdf` of https://github.com/fcambus/spleen, JetBrains Mono from
`fonts/ttf/JetBrainsMono-Regular.ttf` of https://github.com/JetBrains/JetBrainsMono:

    pip install 'foxing[atlas]'
    python -m training.bitmap_fonts spleen-5x8.bdf JetBrainsMono-Regular.ttf
"""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from foxing.renderer.atlas import load_atlas
from foxing.renderer.bitmap_fonts import BITMAP_FONTS, BitmapFont
from foxing.renderer.marks import MARKS

JETBRAINS_PX = 14
#: Rows above the baseline of a cell of JetBrains Mono; the tallest ASCII glyph takes as many.
JETBRAINS_ASCENT = 13
#: Marks and punctuation that the fonts lack, drawn by us for their cells: rows from the top, `#` is ink.
OURS: Mapping[str, Mapping[str, str]] = {
    "spleen-5x8": {
        "¶": ".#### #.#.# #.#.# .##.# ..#.# ..#.# ..#.# .....",
        "⇥": "..... ..... ..#.# ..### ##### ..### ..#.# .....",
        "▒": "#.#.# .#.#. #.#.# .#.#. #.#.# .#.#. #.#.# .#.#.",
        "⟦": "####. ##... ##... ##... ##... ##... ####. .....",
        "⟧": "####. ..##. ..##. ..##. ..##. ..##. ####. .....",
        "⋯": "..... ..... ..... #.#.# #.#.# ..... ..... .....",
        "▶": "#.... ##... ###.. ####. ###.. ##... #.... .....",
        "–": "..... ..... ..... ####. ..... ..... ..... .....",
        "—": "..... ..... ..... ##### ..... ..... ..... .....",
        "‘": ".#... #.... #.... ..... ..... ..... ..... .....",
        "’": ".#... .#... #.... ..... ..... ..... ..... .....",
        "“": ".#.#. #.#.. #.#.. ..... ..... ..... ..... .....",
        "”": ".#.#. .#.#. #.#.. ..... ..... ..... ..... .....",
        "…": "..... ..... ..... ..... ..... ..... #.#.# .....",
        "•": "..... ..... .##.. ####. ####. .##.. ..... .....",
    },
    "jetbrains-mono-14": {
        "▒": " ".join(("#.#.#.#.#", ".#.#.#.#.") * 8),
        "⋯": " ".join([*["." * 9] * 8, *["##.##.##."] * 2, *["." * 9] * 6]),
        "◆": " ".join(
            ["." * 9] * 3
            + ["...#.....", "..###....", ".#####...", "#######..", "#######..", ".#####...", "..###....", "...#....."]
            + ["." * 9] * 5
        ),
    },
}
_Ink = npt.NDArray[np.bool_]


def read_bdf(path: Path, font: BitmapFont) -> Iterator[tuple[int, _Ink]]:
    """Yields code point and bool[height, width], True for ink, of each glyph of a BDF font that is not blank."""
    point, rows, inside = -1, list[int](), False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("ENCODING "):
            point = int(line.split()[1])
        elif line == "BITMAP":
            rows, inside = [], True
        elif line == "ENDCHAR":
            inside = False
            bits = np.unpackbits(np.array(rows, dtype=np.uint8)[:, None], axis=1)[:, : font.width_px]
            if bits.any() or point == 0x20:
                yield point, bits.astype(np.bool_)
        elif inside:
            rows.append(int(line, 16))


def read_outlines(path: Path, font: BitmapFont) -> Iterator[tuple[int, _Ink]]:
    """Yields code point and bool[height, width], True for ink, of each glyph of JetBrains Mono that fits a cell. One
    that is a row too high is moved down by a row."""
    drawn = ImageFont.truetype(str(path), JETBRAINS_PX, layout_engine=ImageFont.Layout.BASIC)
    for point in sorted(TTFont(path).getBestCmap()):
        image = Image.new("1", (3 * font.width_px, 3 * font.height_px))
        canvas = ImageDraw.Draw(image)
        canvas.fontmode = "1"
        corner = font.width_px, font.height_px + JETBRAINS_ASCENT
        canvas.text(corner, chr(point), font=drawn, fill=1, anchor="ls")
        ink = np.asarray(image)
        for down in (0, -1, 1):
            top = font.height_px + down
            cell = ink[top : top + font.height_px, font.width_px : 2 * font.width_px]
            if cell.sum() == ink.sum() and (cell.any() or point == 0x20):
                yield point, cell
                break


def write(font: BitmapFont, glyphs: Mapping[int, _Ink], output: Path) -> int:
    """Writes the glyphs of narrow characters to `output`. Returns their number.

    The file has `code_points` uint32[n] ascending, and `rows` uint16[n, height], the leftmost pixel in the high bit.
    """
    width = load_atlas().width
    points = [point for point in sorted(glyphs) if point < 0x20000 and width[point] == 1]
    padded = np.zeros((len(points), font.height_px, 16), dtype=np.bool_)
    padded[:, :, : font.width_px] = np.stack([glyphs[point] for point in points])
    rows = np.packbits(padded, axis=2).view(">u2")[:, :, 0].astype(np.uint16)
    np.savez_compressed(output, code_points=np.array(points, dtype=np.uint32), rows=rows)
    return len(points)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spleen", type=Path, help="spleen-5x8.bdf")
    parser.add_argument("jetbrains", type=Path, help="JetBrainsMono-Regular.ttf")
    arguments = parser.parse_args()
    spleen, jetbrains = BITMAP_FONTS["spleen-5x8"], BITMAP_FONTS["jetbrains-mono-14"]
    made = {
        spleen: dict(read_bdf(arguments.spleen, spleen)),
        jetbrains: dict(read_outlines(arguments.jetbrains, jetbrains)),
    }
    for font, glyphs in made.items():
        for character, drawing in OURS[font.name].items():
            glyphs[ord(character)] = np.array([[pixel == "#" for pixel in row] for row in drawing.split()])
        count = write(font, glyphs, font.path)
        missing = "".join(mark for mark in MARKS if ord(mark) not in glyphs)
        print(f"{count} glyphs in {font.path}; without: {missing or 'no mark'}")


if __name__ == "__main__":
    main()
