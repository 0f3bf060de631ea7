"""Limits of an image in a message, which are checked before anything of it is decoded."""

from foxing.renderer.errors import FoxingError

#: Maximum number of images of a message.
MAX_IMAGES = 100
MAX_IMAGE_BYTES = 10 << 20  # of the file
MAX_PIXELS = 40_000_000
MAX_SIDE_PX = 30_000
MAX_FRAMES = 1_000  # of an animation, of which the first is kept
MAX_BLOCKS = 100_000  # chunks, segments or blocks of a file
#: Blocks of 8 × 8 px that all scans of a JPEG go through together, about .1 µs each: 32 scans of one component of the
#: largest image. Common encoders make progressive files with 14 of these, 4 to 6 a component.
MAX_SCANNED_BLOCKS = 20_000_000
MAX_DECODE_CPU_S = 4.0  # of an image that is new


class ImageRefused(FoxingError, ValueError):
    """The data of an image cannot be kept: its format is unknown, it is damaged, or it exceeds a limit."""


def check_size(width_px: int, height_px: int) -> None:
    """Raises `ImageRefused` for an image without pixels, or with too many."""
    if width_px < 1 or height_px < 1:
        raise ImageRefused("the image has no pixels; save it again")
    if width_px > MAX_SIDE_PX or height_px > MAX_SIDE_PX or width_px * height_px > MAX_PIXELS:
        raise ImageRefused(
            f"the image has {width_px:,} × {height_px:,} pixels; at most {MAX_PIXELS // 1_000_000} million are kept, "
            f"and {MAX_SIDE_PX:,} a side; scale it down"
        )


def check_frames(frames: int) -> None:
    """Raises `ImageRefused` for an animation with too many frames."""
    if frames > MAX_FRAMES:
        raise ImageRefused(f"the image has more than {MAX_FRAMES:,} frames; send the frame that matters")


def check_blocks(blocks: int) -> None:
    """Raises `ImageRefused` for a file cut into too many blocks."""
    if blocks > MAX_BLOCKS:
        raise ImageRefused("the image consists of too many blocks; save it again")


def check_scans(blocks: int) -> None:
    """Raises `ImageRefused` for a JPEG whose scans go through too many blocks."""
    if blocks > MAX_SCANNED_BLOCKS:
        raise ImageRefused(
            "the JPEG goes through its pixels too many times to be decoded; save it again, without progressive scans"
        )
