"""Image files: what their headers say, read without decoding a pixel, and the file without its metadata.

A file is read as what its first bytes say it is. Comments, EXIF, XMP, text and further frames are left out; colour
profiles stay. A file that continues after the end of its image is refused: it may be a second file in disguise.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from .limits import MAX_IMAGE_BYTES, ImageRefused, check_blocks, check_frames, check_scans, check_size

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Chunks of a PNG without which it would look different.
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT"})
_MAX_PROFILE_BYTES = 1 << 16
_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_SCAN = 0xDA
_JPEG_END = 0xD9
#: Markers without a length, which decoders pass over between segments.
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
#: The marker after the entropy-coded data of a scan.
_JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_ORIENTATION = 0x0112
_TURNED = 5  # first EXIF orientation with width and height exchanged
_WEBP_EXIF = 0x08  # flags
_WEBP_XMP = 0x04
_WEBP_FRAME_HEADER = 16  # bytes of a frame before its chunks


@dataclass(frozen=True)
class ImageFile:
    """An image as a file of one frame, without metadata."""

    content: bytes
    media_type: str
    #: Size as it is seen, its orientation applied.
    width_px: int
    height_px: int
    #: EXIF orientation of the pixels in `content`, 1 to 8.
    orientation: int = 1
    #: False for a format of animations, of which one frame is left.
    still: bool = True
    #: True if its pixels were encoded with loss.
    lossy: bool = False

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the pixels in `content`."""
        turned = self.orientation >= _TURNED
        return (self.height_px, self.width_px) if turned else (self.width_px, self.height_px)

    @classmethod
    def read(cls, content: bytes, *, stored: bool = False) -> "ImageFile":
        """Returns the image in a file. `stored`: True for one that has been stored, perhaps when it had not to be
        decoded in limited time. Raises `ImageRefused`."""
        if len(content) > MAX_IMAGE_BYTES:
            raise ImageRefused(
                f"the image has {len(content):,} bytes; at most {MAX_IMAGE_BYTES >> 20} MiB are kept, scale it down"
            )
        try:
            if content.startswith(_PNG_SIGNATURE):
                image = _read_png(content)
            elif content.startswith(b"\xff\xd8\xff"):
                image = _read_jpeg(content, any_scans=stored)
            elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
                image = _read_webp(content)
            elif content[:6] in (b"GIF87a", b"GIF89a"):
                image = _read_gif(content)
            else:
                raise ImageRefused("the data are not a PNG, JPEG, WebP or GIF image; convert it to one of these")
        except (struct.error, IndexError) as error:
            raise ImageRefused("the image is truncated or damaged; save it again") from error
        check_size(image.width_px, image.height_px)
        if image.orientation < _TURNED:
            return image
        return replace(image, width_px=image.height_px, height_px=image.width_px)


def size_in_header(start: bytes) -> tuple[int, int] | None:
    """Returns width and height in px as the first bytes of a file say them, its orientation not applied; None if they
    do not say them. Nothing is checked."""
    try:
        if start.startswith(_PNG_SIGNATURE):
            width_px, height_px = struct.unpack_from(">II", start, 16)
        elif start.startswith(b"\xff\xd8\xff"):
            width_px, height_px = _size_in_jpeg(start)
        elif start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X":
            wide, high = struct.unpack_from("<3s3s", start, 24)
            width_px, height_px = (1 + int.from_bytes(side, "little") for side in (wide, high))
        elif start[:4] == b"RIFF" and start[8:12] == b"WEBP":
            width_px, height_px = _webp_size(start[12:16], start[20:])
        elif start[:6] in (b"GIF87a", b"GIF89a"):
            width_px, height_px = struct.unpack_from("<HH", start, 6)
        else:
            return None
        check_size(width_px, height_px)
    except (struct.error, IndexError, ImageRefused):
        return None
    return width_px, height_px


def _size_in_jpeg(start: bytes) -> tuple[int, int]:
    """Returns width and height before orientation. Raises `IndexError` or `struct.error` if they are not in `start`."""
    place = 2
    while True:
        marker = start[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker in _JPEG_SIZES:
            height_px, width_px = struct.unpack_from(">HH", start, place + 5)
            return width_px, height_px
        (length,) = struct.unpack_from(">H", start, place + 2)
        place += 2 + length


def _check_end(data: bytes) -> None:
    if data.strip(b"\0"):
        raise ImageRefused("the file continues after the end of its image, like two files in one; save it again")


def _orientation(exif: bytes) -> int:
    """Returns the orientation in a block of EXIF; 1 if there is none."""
    if len(exif) > 1 << 16:
        return 1
    with suppress(Exception):  # Pillow raises many errors for damaged metadata, which is dropped anyway
        from PIL import Image  # here, since clients import this module and decode nothing

        exif_data = Image.Exif()
        exif_data.load(exif)
        value = exif_data.get(_ORIENTATION, 1)
        return value if isinstance(value, int) and 1 <= value <= 8 else 1
    return 1


def _read_png(content: bytes) -> ImageFile:
    width_px = height_px = 0
    orientation = 1
    pieces = [_PNG_SIGNATURE]
    ended = False
    number = 0
    place = len(_PNG_SIGNATURE)
    while not ended:
        number += 1
        check_blocks(number)
        (length,) = struct.unpack_from(">I", content, place)
        kind = content[place + 4 : place + 8]
        start = place + 8
        stop = start + length + 4
        if stop > len(content) or (number == 1) != (kind == b"IHDR"):
            raise ImageRefused("the image is truncated or damaged; save it again")
        if zlib.crc32(content[place + 4 : stop - 4]) != struct.unpack_from(">I", content, stop - 4)[0]:
            raise ImageRefused("the image is damaged: a checksum is wrong; save it again")
        if kind == b"IHDR":
            width_px, height_px = struct.unpack_from(">II", content, start)
            check_size(width_px, height_px)
        elif kind == b"acTL":
            check_frames(struct.unpack_from(">I", content, start)[0])
        elif kind == b"eXIf":
            orientation = _orientation(content[start : stop - 4])
        elif not kind[0] & 0x20 and kind not in _PNG_KEPT:
            raise ImageRefused("the image has a part that no PNG has; save it again")
        if kind in _PNG_KEPT and not (kind == b"iCCP" and length > _MAX_PROFILE_BYTES):
            pieces.append(content[place:stop])
        ended = kind == b"IEND"
        place = stop
    _check_end(content[place:])
    return ImageFile(b"".join(pieces), "image/png", width_px, height_px, orientation)


def _read_jpeg(content: bytes, *, any_scans: bool) -> ImageFile:
    width_px = height_px = scanned = 0
    orientation = 1
    pieces = [content[:2]]
    place = 2
    number = 0
    blocks = dict[int, int]()
    while True:
        number += 1
        check_blocks(number)
        if content[place] != 0xFF:
            raise ImageRefused("the image is truncated or damaged; save it again")
        while content[place + 1] == 0xFF:  # fill bytes
            place += 1
        marker = content[place + 1]
        if marker == _JPEG_END:
            place += 2
            break
        if marker in _JPEG_BARE:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", content, place + 2)
        start = place + 4
        stop = place + 2 + length
        if length < 2 or stop > len(content):
            raise ImageRefused("the image is truncated or damaged; save it again")
        if marker in _JPEG_SIZES:
            height_px, width_px = struct.unpack_from(">HH", content, start + 1)
            check_size(width_px, height_px)
            blocks = _jpeg_blocks(content[start:stop])
        if marker == 0xE1 and content[start : start + 6] == b"Exif\0\0":
            orientation = _orientation(content[start:stop])
        if marker == _JPEG_SCAN:
            scanned += sum(
                blocks.get(component, 0) for component in content[start + 1 : start + 1 + 2 * content[start] : 2]
            )
            if not any_scans:
                check_scans(scanned)
            next_marker = _JPEG_MARKER.search(content, stop)
            if next_marker is None:
                raise ImageRefused("the image is truncated or damaged; save it again")
            stop = next_marker.start()
        if not _is_jpeg_metadata(marker, content[start : start + 12]):
            pieces.append(content[place:stop])
        place = stop
    data = content[place:]
    if not data.startswith(b"\xff\xd8\xff"):  # else further pictures of a phone, which are left out
        _check_end(data)
    return ImageFile(b"".join([*pieces, b"\xff\xd9"]), "image/jpeg", width_px, height_px, orientation, lossy=True)


def _jpeg_blocks(frame: bytes) -> dict[int, int]:
    """Returns component → number of its blocks of 8 × 8 px, for the header of a JPEG's frame."""
    height_px, width_px, components = struct.unpack_from(">HHB", frame, 1)
    sampled = {frame[at]: (frame[at + 1] >> 4 or 1, frame[at + 1] & 15 or 1) for at in range(6, 6 + 3 * components, 3)}
    across = max((wide for wide, _ in sampled.values()), default=1)
    down = max((high for _, high in sampled.values()), default=1)
    units = -(-width_px // (8 * across)) * -(-height_px // (8 * down))
    return {component: units * wide * high for component, (wide, high) in sampled.items()}


def _is_jpeg_metadata(marker: int, start: bytes) -> bool:
    """True for a segment without which the image looks the same."""
    is_application = 0xE0 <= marker <= 0xEF
    is_needed = marker in (0xE0, 0xEE) or (marker == 0xE2 and start.startswith(b"ICC_PROFILE\0"))
    return marker == 0xFE or (is_application and not is_needed)


def _read_webp(content: bytes) -> ImageFile:
    (size,) = struct.unpack_from("<I", content, 4)
    end = 8 + size + size % 2
    if 8 + size > len(content):
        raise ImageRefused("the image is truncated or damaged; save it again")
    _check_end(content[end:])
    width_px = height_px = frames = 0
    orientation = 1
    pieces = list[bytes]()
    lossy = False
    for kind, data in _webp_chunks(content, 12, 8 + size):
        if kind == b"VP8X":
            width_px = 1 + int.from_bytes(data[4:7], "little")
            height_px = 1 + int.from_bytes(data[7:10], "little")
            data = bytes([data[0] & ~(_WEBP_EXIF | _WEBP_XMP)]) + data[1:]
        elif kind == b"EXIF":
            orientation = _orientation(data)
        elif kind == b"ANMF":
            frames += 1
            check_frames(frames)
            lossy = lossy or data[_WEBP_FRAME_HEADER : _WEBP_FRAME_HEADER + 4] == b"VP8 "
        elif kind in (b"VP8 ", b"VP8L") and not width_px:
            width_px, height_px = _webp_size(kind, data)
        lossy = lossy or kind == b"VP8 "
        if kind in (b"EXIF", b"XMP ") or (kind == b"ANMF" and frames > 1):
            continue
        if kind in (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"):
            pieces.append(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))
    body = b"WEBP" + b"".join(pieces)
    stored = b"RIFF" + struct.pack("<I", len(body)) + body
    return ImageFile(stored, "image/webp", width_px, height_px, orientation, still=not frames, lossy=lossy)


def _webp_chunks(content: bytes, place: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the chunks of a WebP, each as its kind and its data."""
    number = 0
    while place + 8 <= end:
        number += 1
        check_blocks(number)
        (length,) = struct.unpack_from("<I", content, place + 4)
        if place + 8 + length > end:
            raise ImageRefused("the image is truncated or damaged; save it again")
        yield content[place : place + 4], content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _webp_size(kind: bytes, data: bytes) -> tuple[int, int]:
    """Returns width and height in the header of a still WebP."""
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width_px, height_px = struct.unpack_from("<HH", data, 6)
    return width_px & 0x3FFF, height_px & 0x3FFF


def _read_gif(content: bytes) -> ImageFile:
    width_px, height_px, flags = struct.unpack_from("<HHB", content, 6)
    check_size(width_px, height_px)
    place = 13 + _gif_colours(flags)
    head = content[:place]
    control = b""
    frame = b""
    frames = number = 0
    while True:
        kind = content[place]
        start = place
        if kind == 0x3B:
            _check_end(content[place + 1 :])
            break
        if kind == 0x21:
            place += 2
        elif kind == 0x2C:
            frames += 1
            check_frames(frames)
            left, top, across, down, packed = struct.unpack_from("<HHHHB", content, place + 1)
            check_size(left + across, top + down)
            place += 11 + _gif_colours(packed)
        else:
            raise ImageRefused("the image is truncated or damaged; save it again")
        while length := content[place]:
            number += 1
            check_blocks(number)
            place += 1 + length
        place += 1
        if kind == 0x21 and content[start + 1] == 0xF9 and not frames:
            control = content[start:place]
        elif kind == 0x2C and frames == 1:
            frame = content[start:place]
    if not frame:
        raise ImageRefused("the image has no frame; save it again")
    return ImageFile(head + control + frame + b";", "image/gif", width_px, height_px, still=False)


def check_pixels(file: ImageFile) -> None:
    """Raises `ImageRefused` if the pixels of an image cannot be decoded. Without the engine, which has the decoder, the
    service finds out when it stores the image."""
    try:
        from .decoding import normalised
    except ModuleNotFoundError:
        return
    normalised(file)


def _gif_colours(flags: int) -> int:
    """Returns the bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
