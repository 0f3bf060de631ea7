"""Negative examples: images that are not pages, such as noise, other fonts and sizes, rotated or mirrored pages, and
shapes. They train the codec to mark cells as unreadable."""

import random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

INK = 0.12  # share of full black above which a cell is not blank


def negative_image(page: Image.Image, words: str, generator: random.Random) -> Image.Image:
    """Returns an image of the size of `page`, mode "L", that is not a page of this codec. Some show `words`."""
    kind = generator.random()
    if kind < 0.25:
        return _noise(page.size, generator)
    if kind < 0.55:
        return _other_font(page.size, words, generator)
    if kind < 0.9:
        return _distorted(page, generator)
    return _shapes(page.size, generator)


def inked_cells(image: Image.Image, rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """Returns the mask of the cells with ink in them or in an adjacent cell, bool [rows, columns]."""
    ink = 1 - np.asarray(image, dtype=np.float32) / 255
    down = np.linspace(0, ink.shape[0], rows + 1).astype(int)[:-1]
    across = np.linspace(0, ink.shape[1], columns + 1).astype(int)[:-1]
    most = np.maximum.reduceat(np.maximum.reduceat(ink, down, axis=0), across, axis=1)
    padded = np.pad(most > INK, 1)
    near = np.stack([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)])
    return np.asarray(near.any(axis=0), dtype=np.bool_)


def _noise(size: tuple[int, int], generator: random.Random) -> Image.Image:
    numbers = np.random.default_rng(generator.getrandbits(32))
    if generator.random() < 0.3:
        pixels = np.where(numbers.random(size[::-1]) < generator.uniform(0.05, 0.6), 0.0, 255.0)
    else:
        pixels = numbers.normal(generator.uniform(40, 230), generator.uniform(30, 110), size[::-1])
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if generator.random() < 0.5:
        image = ImageOps.autocontrast(image.filter(ImageFilter.GaussianBlur(generator.uniform(0.4, 6))))
    return image


def _other_font(size: tuple[int, int], words: str, generator: random.Random) -> Image.Image:
    """Wrapped words in an outline font of a third to twice the codec's glyph size, sometimes stretched and sheared."""
    scale = 2
    height = generator.uniform(0.01, 0.045) * size[0] * scale
    font = ImageFont.load_default(size=max(7.0, height))
    image = Image.new("L", (size[0] * scale, size[1] * scale), 255)
    draw = ImageDraw.Draw(image)
    y = generator.uniform(0, height)
    position = generator.randrange(max(1, len(words) - 200))
    per_line = max(4, int(image.width / (height * generator.uniform(0.4, 0.6))))
    while y < image.height:
        draw.text((generator.uniform(0, 4), y), words[position : position + per_line], fill=0, font=font)
        position = (position + per_line) % max(1, len(words) - per_line)
        y += height * generator.uniform(1.0, 1.5)
    if generator.random() < 0.6:
        image = image.transform(
            image.size,
            Image.Transform.AFFINE,
            (generator.uniform(0.6, 1.4), generator.uniform(-0.2, 0.2), 0, 0, generator.uniform(0.7, 1.3), 0),
            Image.Resampling.BILINEAR,
            fillcolor=255,
        )
    return image.resize(size, Image.Resampling.LANCZOS)


def _distorted(page: Image.Image, generator: random.Random) -> Image.Image:
    """The page itself rotated, mirrored, inverted or scaled."""
    kind = generator.randrange(5)
    if kind == 0:
        return page.transpose(Image.Transpose.ROTATE_180)
    if kind == 1:
        return page.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if kind == 2:
        return ImageOps.invert(page)
    if kind == 3:
        angle = generator.choice((-1, 1)) * generator.uniform(3, 90)
        return page.rotate(angle, Image.Resampling.BILINEAR, fillcolor=255)
    zoom = generator.choice((generator.uniform(0.35, 0.8), generator.uniform(1.25, 3)))
    wide, high = max(8, int(page.width * zoom)), max(8, int(page.height * zoom))
    sized = page.resize((wide, high), Image.Resampling.BILINEAR)
    canvas = Image.new("L", page.size, 255)
    for left in range(0, page.width, wide):
        for top in range(0, page.height, high):
            canvas.paste(sized, (left, top))
    return canvas


def _shapes(size: tuple[int, int], generator: random.Random) -> Image.Image:
    image = Image.new("L", size, generator.choice((255, 255, generator.randrange(60, 255))))
    draw = ImageDraw.Draw(image)
    for _ in range(generator.randint(3, 40)):
        box = sorted(generator.uniform(0, size[0]) for _ in range(2)) + sorted(
            generator.uniform(0, size[1]) for _ in range(2)
        )
        corners = (box[0], box[2], box[1], box[3])
        shade = generator.randrange(0, 220)
        kind = generator.randrange(3)
        if kind == 0:
            draw.ellipse(corners, outline=shade, width=generator.randint(1, 6))
        elif kind == 1:
            draw.rectangle(corners, fill=shade if generator.random() < 0.3 else None, outline=shade)
        else:
            draw.line(corners, fill=shade, width=generator.randint(1, 8))
    return image
