"""Limits of a provider on the images of one request: number, size and bytes, those that it already holds included."""

from collections.abc import Collection, Sequence

from foxing.renderer.readers import Reader

from .prompt_images import PromptImage

#: Bytes of a request that are reserved for everything but images.
FOR_TEXT = 1 << 20


class ImageLimits:
    """The limits of a reader's provider for one set of images. They tighten whenever a plan exceeds them."""

    def __init__(self, reader: Reader, images: Sequence[PromptImage], used: int = 0, used_bytes: int = 0) -> None:
        """`used`: number of images that the request already holds; `used_bytes`: bytes of what it already holds."""
        self._reader = reader
        self._used = used
        self._used_bytes = used_bytes
        self._images = images
        #: Maximum number of images.
        self.most = 0
        #: Indexes of images that exceed the provider's limit in bytes.
        self.too_large: set[int] = set()
        #: Indexes of images that do not show their text exactly; see `Proof.exact`.
        self.inexact: set[int] = set()
        self._of_bytes = False
        limits = reader.limits
        if limits is not None:
            self.most = max(0, limits.max_images - used)
            longest = max((max(s.image.width_px, s.image.height_px) for s in images), default=0)
            if limits.many_images is not None and longest > limits.many_images.max_side_px:
                self.most = min(self.most, max(0, limits.many_images.above - used))
        #: Maximum number of images that the reader's provider takes beside those already in the request.
        self.free = self.most

    def admit(self, chosen: Collection[int]) -> bool:
        """Returns True if the images are exact and the provider accepts them; otherwise tightens the limits. `chosen`:
        indexes of images, which are proof-read."""
        limits = self._reader.limits
        if limits is None or not chosen:
            return True
        sizes = {place: len(self._images[place].image.png) for place in chosen}
        inexact = {place for place in chosen if not self._images[place].placed.proof.exact}
        self.inexact |= inexact
        large = {place for place, size in sizes.items() if size > limits.max_image_bytes}
        self.too_large |= large
        in_base64 = sum(4 * -(-size // 3) for place, size in sizes.items() if place not in large | inexact)
        over = in_base64 > limits.max_request_bytes - FOR_TEXT - self._used_bytes
        if over:
            self._of_bytes = True
            self.most = min(self.most, len(chosen)) - 1
        return not large and not inexact and not over

    @property
    def left_out(self) -> set[int]:
        """Indexes of images that cannot be given."""
        return self.too_large | self.inexact

    @property
    def notes(self) -> list[str]:
        """Notes on the images that the limits excluded."""
        limits, notes = self._reader.limits, list[str]()
        if limits is not None and self._images and not self.free:
            notes.append(
                f"no page images: the request already holds {self._used:,} images, as many as {self._reader.name} takes"
            )
        if limits is not None and self.too_large:
            notes.append(
                f"{len(self.too_large)} page images were left out: they exceed {limits.max_image_bytes:,} bytes, the "
                f"maximum of {self._reader.name}"
            )
        if self.inexact:
            notes.append(
                f"{len(self.inexact)} page images were left out: their drawing does not show its text exactly; report "
                "this, with the versions of foxing and Pillow"
            )
        if limits is not None and self._of_bytes:
            notes.append(
                f"page images were limited to {self.most}: with more, a request to {self._reader.name} would exceed "
                f"{limits.max_request_bytes:,} bytes"
            )
        return notes
