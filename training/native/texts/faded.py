"""Faded pages: pages reduced to the capacity of a tier, as memory fades them."""

from collections.abc import Mapping, Sequence
from functools import partial

from foxing.encoder.annotation import annotate_page
from foxing.encoder.native.charset import Charset
from foxing.encoder.native.decoder import PageStreams
from foxing.encoder.native.entropy.tables import PriorTables
from foxing.encoder.native.weights import load_weights
from foxing.renderer import Entry, Page, Typesetter
from foxing.renderer.fading import MessageWords, fade, isolated_bits, text_salience, word_bits, words_of

#: Shares of its bytes that a training page fades to: those that `tiny` and `micro` hold of a full page that the prior
#: has not seen. Fixed sizes in bytes would not do: pages that the prior was trained on take half as much and would
#: hardly fade.
SHARES = (0.85, 0.4)
_HEADER_BYTES = 3  # maximum of a stream
_TOO_MUCH = 1 << 30  # bytes, if the entries do not fit on one page


class PageFader:
    """Fades pages by the salience of their words, with the costs of a prior."""

    def __init__(self, prior: PriorTables, charset: Charset) -> None:
        self._streams = PageStreams(prior, charset)
        #: Typesetter for the charset.
        self.setter = Typesetter(repertoire=charset.repertoire)

    @classmethod
    def released(cls) -> "PageFader":
        """Returns a fader with the costs of the released weights."""
        weights = load_weights()
        return cls(weights.prior, weights.charset)

    def faded(self, page: Page, messages: Mapping[str, Entry], max_bytes: int) -> Page:
        """Returns `page` faded to `max_bytes`. `messages`: those on the page, by id."""
        costs = self._streams.cost(page.cells).reshape(-1)
        written = []
        for message in annotate_page(page, messages).messages:
            words = words_of(message.entry.content, message.entry.gaps)
            bits = word_bits(words, message.cell, costs[message.start : message.stop])
            written.append(MessageWords(message.entry, words, bits))
        alone = partial(isolated_bits, typesetter=self.setter, cost=self._streams.cost)
        left = fade(written, text_salience(written, alone), max_bytes, self._size)
        return self.setter.page(left.entries)

    def some(self, pages: Sequence[Page], messages: Mapping[str, Entry], most: int) -> list[Page]:
        """Returns at most `most` of `pages`, at even distances, faded to each of `SHARES`.

        `messages`: those on the pages, by id.
        """
        left = []
        for page in pages[:: -(-len(pages) // most)] if pages else ():
            size = self._streams.cost(page.cells).sum() / 8
            left += [self.faded(page, messages, int(share * size)) for share in SHARES]
        return left

    def _size(self, entries: Sequence[Entry]) -> int:
        page = self.setter.page(entries)
        if len(page.placements) < len(entries):
            return _TOO_MUCH
        return int(self._streams.cost(page.cells).sum() / 8) + _HEADER_BYTES
