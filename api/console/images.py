"""Images that pages of the console have shown, so that an address can name them."""

import base64
from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

from foxing.memory import Access

#: Bytes of images that are held, the newest.
HELD_BYTES = 64 << 20


class ShownImages:
    """Images by their digest. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._images: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._bytes = 0

    def add(self, media_type: str, data: str) -> str:
        """Holds an image, given in Base64, and returns its digest."""
        image = base64.b64decode(data)
        tenant = Access.current().tenant or ""
        digest = blake2b(image, digest_size=16, key=tenant.encode()).hexdigest()
        with self._lock:
            if digest not in self._images:
                self._bytes += len(image)
            self._images[digest] = (media_type, image)
            self._images.move_to_end(digest)
            while self._bytes > HELD_BYTES and len(self._images) > 1:
                self._bytes -= len(self._images.popitem(last=False)[1][1])
        return digest

    def get(self, digest: str) -> tuple[str, bytes] | None:
        """Returns the media type and the bytes of an image; None if it is no longer held."""
        with self._lock:
            return self._images.get(digest)
