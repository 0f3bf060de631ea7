"""Pixels of images: decoding, which proves that a file is an image, and encoding at a smaller side."""

import io
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from foxing.memory.fair_semaphore import FairSemaphore

from .files import ImageFile
from .limits import MAX_DECODE_CPU_S, MAX_IMAGE_BYTES, ImageRefused

#: Images decoded at the same time: each takes up to 160 MB; and those of one caller among them, so that one who sends
#: many does not keep others waiting.
AT_ONCE = 2
OF_ONE_CALLER = 1
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
#: Qualities of a photograph that is turned, and if it is too large then.
_JPEG_QUALITY = 92
_LOW_JPEG_QUALITY = 75
#: Compression of a PNG with more pixels than these, whose encoding would take seconds.
_LARGE = 8_000_000
_FAST = 2
#: Bytes of a JPEG that are decoded at a time. The time taken is checked between them.
_JPEG_SLICE = 1 << 10
#: Qualities of WebP: of an image that is scaled to a policy's side, of others, and of those that would be larger else.
_QUALITIES = (90, 75, 50, 25)
#: EXIF orientation → how to turn the pixels.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: An image with more pixels and more colours than these is larger as PNG.
_FEW_PIXELS = 1 << 16
_FEW_COLOURS = 1 << 12
#: An image is a drawing, such as a screenshot or a diagram, if this share of its pixels has its most frequent colours.
_FLAT_SHARE = 0.8
_FLAT_COLOURS = 8
#: Colours of a drawing whose type stays legible, and the pixels up to which it is not scaled; with more, the side in px
#: at which it is kept.
_PALETTE = 32
_MAX_LEGIBLE_PIXELS = 4_000_000
LEGIBLE_SIDE_PX = 1_568
_room = FairSemaphore(AT_ONCE, OF_ONE_CALLER)


def turn(caller: str = "") -> AbstractContextManager[None]:
    """Waits for a turn to decode an image, and holds it in the block. `caller`: for whom, such as a bank; empty for the
    memory's own work. Each function of this module takes one."""
    return _room.turn(caller)


def waiting() -> int:
    """Returns the number of threads that wait for a turn."""
    return _room.waiting


def normalised(file: ImageFile, caller: str = "") -> ImageFile:
    """Returns an image whose pixels stand upright, of a still format: the file itself where that is so. Decodes it,
    so that nothing else than an image is kept. `caller`: see `turn`. Raises `ImageRefused` if it cannot be decoded, or
    not in `MAX_DECODE_CPU_S`."""
    with turn(caller):
        pixels = _decoded(file, limited=True)
        if file.orientation == 1 and file.still:
            return file
        upright = _upright(pixels, file.orientation)
        is_photograph = file.media_type == "image/jpeg" or (file.lossy and upright.mode in ("RGB", "L"))
        content, media_type = _photograph(upright) if is_photograph else (_exactly(upright), "image/png")
        return replace(file, content=content, media_type=media_type, orientation=1, still=True)


def opened(file: ImageFile) -> Image.Image:
    """Returns the pixels of an image, upright, of mode RGB, RGBA, L or LA. Raises `ImageRefused`."""
    with turn():
        return _upright(_decoded(file), file.orientation)


def preview(file: ImageFile, side_px: int) -> bytes:
    """Returns an image as a JPEG on a white ground whose longer side has at most `side_px` pixels. Raises
    `ImageRefused`."""
    with turn():
        small = _at_side(_in_srgb(_upright(_decoded(file, side_px), file.orientation)), side_px)
        if small.mode in ("RGBA", "LA"):
            small = Image.alpha_composite(Image.new("RGBA", small.size, "white"), small.convert("RGBA"))
        return _encoded(small.convert("RGB"), "JPEG", quality=_JPEG_QUALITY)


def scaled(
    file: ImageFile, side_px: int, *, as_it_came: bool = False, legible: bool = False, caller: str = ""
) -> ImageFile:
    """Returns an image whose longer side has at most `side_px` pixels, as the smallest file: WebP, PNG, or the file
    itself, with all of its pixels, where that is smaller. `as_it_came`: True to leave an image alone that has no more
    pixels, and to encode others with little loss. `legible`: True for the type of a drawing to stay legible, whatever
    `side_px`: it keeps all of its pixels, in fewer colours; with `as_it_came` exactly, where that takes fewer bytes.
    `caller`: see `turn`. Raises `ImageRefused`."""
    longer = max(file.width_px, file.height_px)
    if longer <= side_px and as_it_came:
        return file
    may_be_whole = file.width_px * file.height_px <= _MAX_LEGIBLE_PIXELS
    with turn(caller):
        pixels = _in_srgb(_upright(_decoded(file, None if legible else side_px), file.orientation))
        is_drawing = legible and _is_drawing(pixels)
        if is_drawing and not as_it_came:
            side_px = max(side_px, longer if may_be_whole else LEGIBLE_SIDE_PX)
        small = _at_side(pixels, side_px)
        files = []
        if is_drawing and not as_it_came:
            files.append(_lossless(_with_colours(small, _PALETTE)))
        elif is_drawing and may_be_whole:
            files.append(_lossless(pixels))
        if small.width * small.height <= _FEW_PIXELS or small.getcolors(_FEW_COLOURS) is not None:
            files.append(ImageFile(_encoded(small, "PNG", optimize=True), "image/png", *small.size))
        for quality in _QUALITIES if as_it_came else _QUALITIES[1:2] if is_drawing else _QUALITIES[1:]:
            content = _encoded(small, "WEBP", quality=quality, method=4)
            files.append(ImageFile(content, "image/webp", *small.size))
            if len(content) < len(file.content):
                break
    smallest = min(files, key=lambda candidate: len(candidate.content))
    return smallest if len(smallest.content) < len(file.content) else file


def _at_side(pixels: Image.Image, side_px: int) -> Image.Image:
    """Returns pixels whose longer side has at most `side_px`."""
    factor = min(1.0, side_px / max(pixels.size))
    if factor == 1.0:
        return pixels
    size = max(1, round(pixels.width * factor)), max(1, round(pixels.height * factor))
    return pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _is_drawing(pixels: Image.Image) -> bool:
    """True if few colours cover most of an image: 4 bits of each of red, green and blue."""
    coarse = np.asarray(pixels.convert("RGB"), np.uint16) >> 4
    colours = np.bincount((coarse[..., 0] << 8 | coarse[..., 1] << 4 | coarse[..., 2]).ravel(), minlength=1 << 12)
    frequent = np.partition(colours, -_FLAT_COLOURS)[-_FLAT_COLOURS:]
    return bool(frequent.sum() >= _FLAT_SHARE * colours.sum())


def _with_colours(pixels: Image.Image, colours: int) -> Image.Image:
    """Returns pixels of mode RGB or RGBA in at most this many colours."""
    mode = "RGBA" if pixels.mode in ("RGBA", "LA") else "RGB"
    return pixels.convert(mode).quantize(colours, dither=Image.Dither.NONE).convert(mode)


def _lossless(pixels: Image.Image) -> ImageFile:
    """Returns a WebP of exactly these pixels."""
    return ImageFile(_encoded(pixels, "WEBP", lossless=True, method=4), "image/webp", *pixels.size)


def _in_srgb(pixels: Image.Image) -> Image.Image:
    """Returns pixels in the colours of screens, without a profile, which may be larger than a small image."""
    profile = pixels.info.get("icc_profile")
    pixels.info = {}
    if profile is None or pixels.mode not in ("RGB", "RGBA"):
        return pixels
    try:
        converted = ImageCms.profileToProfile(
            pixels, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        )
    except (ImageCms.PyCMSError, OSError, ImportError):
        return pixels
    assert converted is not None
    converted.info = {}
    return converted


class _TimedFile(io.BytesIO):
    """A file that is refused once this thread has taken `MAX_DECODE_CPU_S` to decode it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._until = time.thread_time() + MAX_DECODE_CPU_S

    def read(self, size: int | None = -1, /) -> bytes:
        """Returns the next bytes. Raises `ImageRefused`."""
        if time.thread_time() > self._until:
            raise ImageRefused(f"the image takes longer than {MAX_DECODE_CPU_S:g} s to decode; save it again, smaller")
        return super().read(size)


class _BoundedFile(io.BytesIO):
    """A file that is refused once it is larger than an image may be."""

    def write(self, data: Any, /) -> int:
        """Writes bytes. Raises `ImageRefused`."""
        if self.tell() + len(data) > MAX_IMAGE_BYTES:
            raise ImageRefused(
                f"the image, turned upright and of one frame, has more than {MAX_IMAGE_BYTES >> 20} MiB; scale it down"
            )
        return super().write(data)


def _decoded(file: ImageFile, side_px: int | None = None, *, limited: bool = False) -> Image.Image:
    """Returns the pixels of a file, not yet turned. `side_px`: a JPEG may be decoded smaller, down to twice this side.
    `limited`: True for a file that has not been stored, which is decoded in `MAX_DECODE_CPU_S`. Raises
    `ImageRefused`."""
    content = _TimedFile(file.content) if limited else io.BytesIO(file.content)
    try:
        pixels = Image.open(content, formats=[_FORMATS[file.media_type]])
        if pixels.size != file.stored_size:
            raise ImageRefused("the image is damaged: its parts say different sizes; save it again")
        if side_px is not None:
            pixels.draft(None, (2 * side_px, 2 * side_px))
        if limited and file.media_type == "image/jpeg":
            pixels.decodermaxblock = _JPEG_SLICE
        pixels.load()
    except ImageRefused:
        raise
    except Exception as error:  # Pillow's decoders raise many
        raise ImageRefused(f"the image cannot be decoded ({error}); save it again") from error
    return pixels


def _upright(pixels: Image.Image, orientation: int) -> Image.Image:
    """Returns pixels of mode RGB, RGBA, L or LA, turned as their orientation says."""
    profile = pixels.info.get("icc_profile")
    transparent = pixels.mode in ("LA", "PA", "RGBA") or "transparency" in pixels.info
    if pixels.mode not in ("RGB", "RGBA", "L", "LA") or (transparent and pixels.mode in ("RGB", "L")):
        pixels = pixels.convert("RGBA" if transparent else "RGB")
    turn = _TURNS.get(orientation)
    upright = pixels.copy() if turn is None else pixels.transpose(turn)
    upright.info = {} if profile is None else {"icc_profile": profile}
    return upright


def _photograph(pixels: Image.Image) -> tuple[bytes, str]:
    """Returns a JPEG and its media type. Raises `ImageRefused` if it is larger than an image may be."""
    try:
        content = _encoded(pixels, "JPEG", _BoundedFile(), quality=_JPEG_QUALITY)
    except ImageRefused:
        content = _encoded(pixels, "JPEG", _BoundedFile(), quality=_LOW_JPEG_QUALITY)
    return content, "image/jpeg"


def _exactly(pixels: Image.Image) -> bytes:
    """Returns a PNG. Raises `ImageRefused` if it is larger than an image may be."""
    return _encoded(pixels, "PNG", _BoundedFile(), compress_level=_FAST if pixels.width * pixels.height > _LARGE else 6)


def _encoded(pixels: Image.Image, kind: str, file: io.BytesIO | None = None, **options: int) -> bytes:
    file = io.BytesIO() if file is None else file
    profile = pixels.info.get("icc_profile")
    pixels.save(file, kind, exif=b"", **({} if profile is None else {"icc_profile": profile}), **options)
    return file.getvalue()
