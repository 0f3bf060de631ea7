"""Degraded page images. Each function takes and returns mode "L", 255 paper, of the same size."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter


def shifted(image: Image.Image) -> Image.Image:
    """Shifted by one pixel to the right and down."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, 0, -1, 0, 1, -1), fillcolor=255)


def blurred(image: Image.Image) -> Image.Image:
    """Gaussian blur, σ 0.5 px."""
    return image.filter(ImageFilter.GaussianBlur(0.5))


def noisy(image: Image.Image) -> Image.Image:
    """Gaussian noise, σ 8/255; the same on every run."""
    noise = np.random.default_rng(7).normal(0, 8, (image.height, image.width))
    return Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.uint8))


def compressed(image: Image.Image) -> Image.Image:
    """JPEG, quality 80."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return Image.open(buffer).convert("L")


#: Name → the function that degrades an image.
CONDITIONS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "shift 1 px": shifted,
    "blur 0.5 px": blurred,
    "noise 8/255": noisy,
    "JPEG 80": compressed,
}
