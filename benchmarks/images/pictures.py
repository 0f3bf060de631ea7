"""Images that are made: like photographs, screenshots and diagrams."""

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from foxing.renderer.outline import FONT_PATH

KINDS = ("photograph", "screenshot", "diagram")
_TEXT = (
    "deploy error orders queue latency March budget total service retry window report agent memory page token "
    "review invoice Lisbon harbour crane customer table index search result open closed pending 214 87 1,024 3.5"
)
_WORDS = _TEXT.split()


class Made(NamedTuple):
    """An image as it comes."""

    kind: str
    #: JPEG for a photograph, else PNG
    content: bytes


def made_images(number: int, kinds: Sequence[str] = KINDS, seed: int = 0) -> Iterator[Made]:
    """Yields images of each kind in turn, different for each number."""
    makers = {"photograph": _photograph, "screenshot": _screenshot, "diagram": _diagram}
    for place in range(number):
        kind = kinds[place % len(kinds)]
        yield Made(kind, makers[kind](np.random.default_rng([seed, place])))


def _photograph(random: np.random.Generator) -> bytes:
    """Noise at every scale, weaker the finer it is, as in photographs."""
    height, width = (int(side) for side in random.choice([(600, 800), (800, 600), (540, 960)]))
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 10):
        side = 2**octave
        coarse = random.normal(0, 1, (side * height // width + 2, side + 2, 3)).astype(np.float32)
        tinted = coarse.mean(axis=2, keepdims=True) + 0.35 * coarse
        for band in range(3):
            scaled = Image.fromarray(tinted[..., band]).resize((width, height))
            total[..., band] += np.asarray(scaled) / octave**1.6
    low, high = np.percentile(total[::8, ::8], (1, 99))
    pixels = np.clip(255 * (total - low) / (high - low), 0, 255).astype(np.uint8)
    return _file(Image.fromarray(pixels).resize((2 * width, 2 * height), Image.Resampling.BICUBIC), "JPEG", quality=90)


def _screenshot(random: np.random.Generator, line: str = "") -> bytes:
    """A window with a sidebar, a toolbar, paragraphs and a table, and `line` among them."""
    width, height = (int(side) for side in random.choice([(1440, 900), (1920, 1080), (1280, 800)]))
    dark = bool(random.integers(2))
    ground, ink = ((30, 31, 34), (215, 217, 220)) if dark else ((255, 255, 255), (30, 32, 36))
    image = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, 44), fill=tuple(int(c) for c in random.integers(40, 200, 3)))
    draw.rectangle((0, 44, 220, height), fill=(43, 45, 48) if dark else (240, 241, 243))
    small, large = (ImageFont.truetype(FONT_PATH, side) for side in (14, 22))
    for row in range(12):
        draw.text((16, 64 + 30 * row), " ".join(random.choice(_WORDS, 2)), ink, small)
    draw.text((250, 64), " ".join(random.choice(_WORDS, 4)), ink, large)
    row = 110
    while row < height - 40:
        words = " ".join(random.choice(_WORDS, (width - 300) // 75))
        if line and row > height // 2:
            words, line = line, ""
        draw.text((250, row), words, ink, small)
        row += 22 if random.random() < 0.85 else 48
    return _file(image, "PNG")


def _diagram(random: np.random.Generator) -> bytes:
    """A chart of matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(float(random.uniform(6, 10)), float(random.uniform(4, 6))), dpi=110)
    axes = figure.subplots()
    kind = random.integers(3)
    if kind == 0:
        for line in range(int(random.integers(1, 5))):
            axes.plot(np.cumsum(random.normal(0, 1, 120)), label=str(_WORDS[line]))
        axes.legend()
    elif kind == 1:
        axes.bar([f"{word}{n}" for n, word in enumerate(random.choice(_WORDS, 6))], random.uniform(1, 9, 6))
    else:
        axes.scatter(random.normal(0, 1, 200), random.normal(0, 1, 200), c=random.uniform(0, 1, 200))
    axes.set_title(" ".join(random.choice(_WORDS, 4)))
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _file(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
