"""Probes of images in messages: files of the kinds that are slow to decode, up to the limits."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from random import Random

from PIL import Image

from foxing.memory.images.limits import MAX_IMAGE_BYTES, MAX_PIXELS

from .probes import Call, Probe, World

CAP_S = 5.0  # of an image at the limit
MAX_WEBP_PX = 16_383  # of a side
FORMATS: dict[str, dict[str, object]] = {
    "PNG": {"compress_level": 1},
    "GIF": {},
    "baseline JPEG": {"quality": 90},
    "progressive JPEG": {"quality": 90, "progressive": True},
    "WebP": {"quality": 80, "method": 0},
    "lossless WebP": {"lossless": True, "method": 0},
}


def image_probes() -> Iterator[Probe]:
    """Yields a probe for each format, of pictures of noise in coarse blocks, and of one colour."""
    for name, options in FORMATS.items():
        for kind, make in (("noise", _noise), ("one colour", _plain)):
            yield Probe("store an image", f"pixels of a {name} of {kind}", MAX_PIXELS, _of(name, options, make), CAP_S)


def _side(pixels: int) -> int:
    return max(1, int(pixels**0.5))


def _noise(pixels: int) -> Image.Image:
    coarse = Image.frombytes("RGB", (64, 64), Random(1).randbytes(64 * 64 * 3))
    return coarse.resize((_side(pixels), _side(pixels)))


def _plain(pixels: int) -> Image.Image:
    return Image.new("RGB", (_side(pixels), _side(pixels)), (120, 90, 60))


def _of(name: str, options: dict[str, object], make: Callable[[int], Image.Image]) -> Callable[[World, int], Call]:
    format = name.split()[-1]

    def prepare(world: World, size: int) -> Call:
        picture = make(size)
        if format == "WebP" and max(picture.size) > MAX_WEBP_PX:
            picture = picture.resize((MAX_WEBP_PX, MAX_PIXELS // MAX_WEBP_PX))
        data = _written(picture, format, options)
        while len(data) > MAX_IMAGE_BYTES:
            picture = picture.resize((picture.width * 3 // 4, picture.height * 3 // 4))
            data = _written(picture, format, options)
        part = {"type": "image", "media_type": f"image/{format.lower()}", "data": base64.b64encode(data).decode()}
        body = json.dumps({"messages": [{"role": "user", "content": [part]}]}).encode()
        url, headers = f"/v1/banks/{world.new_bank()}/messages", {"content-type": "application/json"}
        return lambda: world.client.request("POST", url, content=body, headers=headers).status_code

    return prepare


def _written(picture: Image.Image, format: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
