"""Reader profiles: legible type sizes, image limits and billing, and page images laid out for a reader."""

from .billing import Billing, Crops, Flat, Modes, Patches, Tiles
from .page_images import PageImage, image_px, margin_px, page_image, page_images, reader_layout
from .reader import Reader, ReaderProfileError, Readers, TypeSize, UnknownReader, packaged_readers

__all__ = [
    "Billing",
    "Crops",
    "Flat",
    "Modes",
    "PageImage",
    "Patches",
    "Reader",
    "ReaderProfileError",
    "Readers",
    "Tiles",
    "TypeSize",
    "UnknownReader",
    "image_px",
    "margin_px",
    "packaged_readers",
    "page_image",
    "page_images",
    "reader_layout",
]
