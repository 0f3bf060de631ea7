"""Pixels of images: decoding, which proves that a file is an image, and encoding at a smaller side."""

import io
from dataclasses import replace
from threading import BoundedSemaphore

from PIL import Image

from .files import ImageFile
from .limits import ImageRefused

#: Images decoded at the same time: each takes up to 160 MB.
AT_ONCE = 2
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
_JPEG_QUALITY = 92  # of a photograph that is turned
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
_room = BoundedSemaphore(AT_ONCE)


def normalised(file: ImageFile) -> ImageFile:
    """Returns an image whose pixels stand upright, of a still format: the file itself where that is so. Decodes it,
    so that nothing else than an image is kept. Raises `ImageRefused` if it cannot be decoded."""
    with _room:
        pixels = _decoded(file)
        if file.orientation == 1 and file.still:
            return file
        upright = _upright(pixels, file.orientation)
        if file.media_type == "image/jpeg":
            return replace(file, content=_encoded(upright, "JPEG", quality=_JPEG_QUALITY), orientation=1)
        content = _encoded(upright, "PNG")
        return replace(file, content=content, media_type="image/png", orientation=1, still=True)


def _decoded(file: ImageFile) -> Image.Image:
    """Returns the pixels of a file, not yet turned. Raises `ImageRefused`."""
    try:
        pixels = Image.open(io.BytesIO(file.content), formats=[_FORMATS[file.media_type]])
        if pixels.size != file.stored_size:
            raise ImageRefused("the image is damaged: its parts say different sizes; save it again")
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


def _encoded(pixels: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    profile = pixels.info.get("icc_profile")
    pixels.save(file, kind, exif=b"", **({} if profile is None else {"icc_profile": profile}), **options)
    return file.getvalue()
