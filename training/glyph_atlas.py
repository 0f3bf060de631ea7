"""Builds `data/unifont.npz`, the glyph atlas, from the GNU Unifont fonts of Debian's `fonts-unifont`.

The packaged file comes from version 15.1.01 and is what the released weights have learnt:

    pip install 'foxing[atlas]' && python -m training.glyph_atlas /usr/share/fonts/opentype/unifont
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

FONT_FILES = ("unifont.otf", "unifont_upper.otf")  # the first font that has a glyph wins
GLYPH_PX = 16
LAST_CODE_POINT = 0x1FFFF  # the ideographs of plane 2 would double the file
PRIVATE_USE = range(0xE000, 0xF900)


def draw_glyph(font: ImageFont.FreeTypeFont, character: str) -> npt.NDArray[np.bool_]:
    """One glyph as bool[16, 16], row by row from the top, True where there is ink."""
    image = Image.new("L", (GLYPH_PX, GLYPH_PX))
    ImageDraw.Draw(image).text((0, 0), character, font=font, fill=255)
    return np.asarray(image) > 127


def build(font_folder: Path, output: Path) -> int:
    """Writes the atlas and returns how many glyphs it holds.

    The file has `code_points` uint32[n] ascending, `wide` bool[n] and `rows` uint8[n, 16, 2]: 16 pixel
    rows of 16 bits, the leftmost pixel first; a narrow glyph uses the first byte only.
    """
    glyphs: dict[int, tuple[bool, npt.NDArray[np.bool_]]] = {}
    for name in FONT_FILES:
        path = font_folder / name
        cmap = TTFont(path).getBestCmap()
        font = ImageFont.truetype(str(path), GLYPH_PX, layout_engine=ImageFont.Layout.BASIC)
        for code_point in sorted(cmap):
            if code_point in glyphs or code_point in PRIVATE_USE or code_point > LAST_CODE_POINT or code_point < 0x20:
                continue
            ink = draw_glyph(font, chr(code_point))
            if ink.any() or code_point == 0x20:  # what leaves no ink could not be read back
                wide = font.getlength(chr(code_point)) > 8 or bool(ink[:, 8:].any())
                glyphs[code_point] = (wide, ink)
    code_points = np.array(sorted(glyphs), dtype=np.uint32)
    is_wide = np.array([glyphs[c][0] for c in code_points.tolist()])
    rows = np.packbits(np.stack([glyphs[c][1] for c in code_points.tolist()]), axis=2)
    np.savez_compressed(output, code_points=code_points, wide=is_wide, rows=rows)
    return len(code_points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", type=Path)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "data" / "unifont.npz")
    arguments = parser.parse_args()
    print(f"{build(arguments.fonts, arguments.output)} glyphs in {arguments.output}")


if __name__ == "__main__":
    main()
