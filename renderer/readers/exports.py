"""Exports of `foxing.renderer.readers`: where each is defined."""

from foxing.renderer.errors import UnknownReader

from .billing import Area, Billing, Crops, Flat, Modes, Patches, Tiles
from .images import PageImage, cells_per_token, is_read, page_image, page_images, reader_layout
from .proof import Proof, ProofReader, digest_of, proof_read, require_exact
from .reader import Reader, ReaderProfileError, Readers, TypeSize, margin_px, packaged_readers, page_px

__all__ = [
    "Area",
    "Billing",
    "Crops",
    "Flat",
    "Modes",
    "PageImage",
    "Patches",
    "Proof",
    "ProofReader",
    "Reader",
    "ReaderProfileError",
    "Readers",
    "Tiles",
    "TypeSize",
    "UnknownReader",
    "cells_per_token",
    "digest_of",
    "is_read",
    "margin_px",
    "packaged_readers",
    "page_image",
    "page_images",
    "page_px",
    "proof_read",
    "reader_layout",
    "require_exact",
]
