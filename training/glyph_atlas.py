"""Builds the glyph atlas, `renderer/data/unifont.npz`, from the GNU Unifont fonts in Debian's `fonts-unifont`.

The packaged file is made from version 15.1.01, and the packaged weights are trained on its glyphs:

    pip install 'foxing[atlas]' && python -m training.glyph_atlas /usr/share/fonts/opentype/unifont
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from foxing.renderer.atlas import ATLAS_PATH

FONT_FILES = ("unifont.otf", "unifont_upper.otf")  # the first font with a glyph wins
GLYPH_SIDE_PX = 16  # of a full-width glyph
LAST_CODE_POINT = 0x1FFFF  # the ideographs of plane 2 would double the file size
PRIVATE_USE = range(0xE000, 0xF900)


def draw_glyph(font: ImageFont.FreeTypeFont, character: str) -> npt.NDArray[np.bool_]:
    """Returns one glyph as bool [16, 16], rows from the top, True for ink. A narrow glyph is in the left half."""
    image = Image.new("L", (GLYPH_SIDE_PX, GLYPH_SIDE_PX))
    ImageDraw.Draw(image).text((0, 0), character, font=font, fill=255)
    return np.asarray(image) > 127


def build(font_folder: Path, output: Path) -> int:
    """Writes the atlas to `output` and returns the number of glyphs in it.

    The file has `code_points` uint32[n] ascending, `wide` bool[n], and `rows` uint8[n, 16, 2]: 16 pixel rows of 16
    bits, the leftmost pixel in the high bit of the first byte. A narrow glyph uses only the first byte.
    """
    glyphs: dict[int, tuple[bool, npt.NDArray[np.bool_]]] = {}
    for name in FONT_FILES:
        path = font_folder / name
        cmap = TTFont(path).getBestCmap()
        font = ImageFont.truetype(str(path), GLYPH_SIDE_PX, layout_engine=ImageFont.Layout.BASIC)
        for code_point in sorted(cmap):
            if code_point in glyphs or code_point in PRIVATE_USE or code_point > LAST_CODE_POINT or code_point < 0x20:
                continue
            ink = draw_glyph(font, chr(code_point))
            if ink.any() or code_point == 0x20:  # a glyph without ink could not be decoded
                wide = font.getlength(chr(code_point)) > 8 or bool(ink[:, 8:].any())
                glyphs[code_point] = (wide, ink)
    code_points = np.array(sorted(glyphs), dtype=np.uint32)
    is_wide = np.array([glyphs[c][0] for c in code_points.tolist()])
    rows = np.packbits(np.stack([glyphs[c][1] for c in code_points.tolist()]), axis=2)
    np.savez_compressed(output, code_points=code_points, wide=is_wide, rows=rows)
    return len(code_points)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", type=Path, help="folder with " + " and ".join(FONT_FILES))
    parser.add_argument("--output", type=Path, default=ATLAS_PATH, help="file to write; default: the packaged atlas")
    arguments = parser.parse_args()
    print(f"{build(arguments.fonts, arguments.output)} glyphs in {arguments.output}")


if __name__ == "__main__":
    main()
