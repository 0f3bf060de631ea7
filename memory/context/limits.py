"""What a provider takes in one request: number, size and bytes of images."""

from collections.abc import Collection, Sequence

from foxing.renderer.readers import Reader

from .prompt_images import PromptImage

#: Bytes of a request that are kept for everything but images.
FOR_TEXT = 1 << 20


class ImageLimits:
    """The limits of a reader's provider for one set of images; they tighten as plans turn out to exceed them."""

    def __init__(self, reader: Reader, images: Sequence[PromptImage]) -> None:
        self._reader = reader
        self._images = images
        #: How many images may be shown.
        self.most = 0
        #: Places of images that have more bytes than the provider takes.
        self.too_large: set[int] = set()
        self._of_bytes = False
        limits = reader.limits
        if limits is not None:
            self.most = limits.max_images
            longest = max((max(s.image.width_px, s.image.height_px) for s in images), default=0)
            if limits.many_images is not None and longest > limits.many_images.max_side_px:
                self.most = min(self.most, limits.many_images.above)

    def admit(self, chosen: Collection[int]) -> bool:
        """Whether the provider takes these images. If not, the limits are tighter than before."""
        limits = self._reader.limits
        if limits is None or not chosen:
            return True
        sizes = {place: len(self._images[place].image.png) for place in chosen}
        large = {place for place, size in sizes.items() if size > limits.max_image_bytes}
        self.too_large |= large
        in_base64 = sum(4 * -(-size // 3) for place, size in sizes.items() if place not in large)
        over = in_base64 > limits.max_request_bytes - FOR_TEXT
        if over:
            self._of_bytes = True
            self.most = min(self.most, len(chosen)) - 1
        return not large and not over

    @property
    def notes(self) -> list[str]:
        """What was left out because of the limits."""
        limits, notes = self._reader.limits, []
        if limits is not None and self.too_large:
            notes.append(
                f"page images of more than {limits.max_image_bytes:,} bytes were left out ({len(self.too_large)}); "
                f"{self._reader.name} takes no larger ones"
            )
        if limits is not None and self._of_bytes:
            notes.append(
                f"no more than {self.most} page images are shown; with more, a request to {self._reader.name} would "
                f"exceed {limits.max_request_bytes:,} bytes"
            )
        return notes
