"""What the benchmark counts as kept, right, silent and invented, on hand-made pages and readings."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL.Image import Image

from foxing.encoder import Codec, CodecError, Reading, VisionTokens, load_codec
from foxing.encoder.bench import BenchRow, PageSet, compared, first_pages, measure, measure_ageing, texts_of
from foxing.encoder.bench.comparison import GAP_MARK, compare_pages, compare_words
from foxing.encoder.bench.text_size import ppmd_bytes, text_size
from foxing.encoder.contract import UNREADABLE
from foxing.renderer import DENSE_PAGE, Page
from foxing.renderer.page import BLANK, WIDE_TAIL, Cells, Placement

WIDE = "\N{HANGUL SYLLABLE HAN}"


def cells_of(*rows: str) -> Cells:
    """Rows of a page: `_` is a blank cell, and a full-width character takes two cells."""
    cells = np.full((len(rows), DENSE_PAGE.columns), BLANK, dtype=np.uint32)
    for row, text in enumerate(rows):
        codes = [code for letter in text for code in ([ord(letter), WIDE_TAIL] if letter == WIDE else [ord(letter)])]
        cells[row, : len(codes)] = [BLANK if code == ord("_") else code for code in codes]
    return cells


def page_of(*rows: str) -> Page:
    return Page(DENSE_PAGE, cells_of(*rows), ())


def spans_of(*texts: str) -> tuple[Placement, ...]:
    """A message for each row, of which it fills the beginning."""
    starts = [row * DENSE_PAGE.columns for row in range(len(texts))]
    return tuple(
        Placement(f"m{row}", "talk", start, start, start + len(text), 0, len(text))
        for row, (start, text) in enumerate(zip(starts, texts, strict=True))
    )


def messages_of(*texts: str) -> Page:
    """A page without headers and with a message in each row."""
    return Page(DENSE_PAGE, cells_of(*texts), spans_of(*texts))


def reading_of(*rows: str, doubtful: str = "") -> Reading:
    """A reading that is sure of everything but the characters in `doubtful`."""
    cells = cells_of(*rows)
    confidence = np.where(np.isin(cells, [ord(letter) for letter in doubtful]), 0.2, 1.0).astype(np.float32)
    return Reading("small", cells, confidence, flag_below=0.5)


class Scripted:
    """A codec that answers with prepared readings, whatever it is shown, in tokens of `token_bytes` for each page."""

    layout = DENSE_PAGE

    def __init__(self, *readings: Reading, token_bytes: Sequence[int] = (48,)) -> None:
        self.readings = list(readings)
        self.token_bytes = token_bytes
        self.tiers = dict.fromkeys(("base", "small"))

    def encode(self, images: Sequence[Image], tier: str) -> list[VisionTokens]:
        sizes = [self.token_bytes[index % len(self.token_bytes)] for index in range(len(images))]
        return [VisionTokens("scripted", "w", tier, (1, 1, size), "uint8", b"x" * size) for size in sizes]

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        return [self.readings.pop(0) for _ in tokens]


def row_of(page: Page, reading: Reading) -> BenchRow:
    codec: Any = Scripted(reading)
    return measure(codec, PageSet([page]), "small", "en")


def test_what_the_tokens_do_not_hold_is_not_kept_and_no_error() -> None:
    row = row_of(page_of("abcdefghij"), reading_of("abcdef" + GAP_MARK * 4, doubtful=GAP_MARK))
    assert (row.kept_share, row.kept_accuracy) == (0.6, 1.0)
    assert row.accuracy == pytest.approx(0.6)
    assert (row.flagged_share, row.flagged_errors_share, row.silent_errors_per_10k) == (0.0, 1.0, 0.0)
    assert (row.calibration_error, row.invented_per_million) == (0.0, 0.0)


def test_blanks_are_not_characters() -> None:
    row = row_of(page_of("ab c__d", "e"), reading_of("ab c__d", GAP_MARK))
    assert row.kept_share == 0.8
    assert row.characters == DENSE_PAGE.columns + 1  # of the text


def test_errors_are_shares_of_the_kept_characters() -> None:
    # of eight kept characters one is wrong in silence, one is wrong and flagged, one is right and flagged
    row = row_of(page_of("abcdefghij"), reading_of("aXYdefgh" + GAP_MARK * 2, doubtful="Yh"))
    assert row.kept_share == 0.8
    assert row.kept_accuracy == 0.75
    assert row.silent_errors_per_10k == 1250
    assert (row.flagged_share, row.flagged_errors_share) == (0.25, 0.5)
    # 6 sure of which 5 are right, 2 doubtful at 0.2 of which 1 is right
    assert row.calibration_error == pytest.approx(6 / 8 * (1 - 5 / 6) + 2 / 8 * (0.5 - 0.2), abs=1e-6)
    assert row.invented_per_million == 0


def test_unreadable_characters_are_kept_and_wrong() -> None:
    row = row_of(page_of("abcd"), reading_of("abc" + chr(UNREADABLE)))
    assert (row.kept_share, row.kept_accuracy, row.invented_per_million) == (1.0, 0.75, 0.0)


def test_characters_read_where_there_is_no_ink_are_invented() -> None:
    page = page_of("abcd__ efg")
    row = row_of(page, reading_of("abcdX_Yefg__Z", "ZZ", doubtful="Z"))  # flagged or not
    assert row.invented_per_million == pytest.approx(5 / 7 * 1e6)
    assert (row.kept_share, row.kept_accuracy, row.silent_errors_per_10k) == (1.0, 1.0, 0.0)
    silent = row_of(page, reading_of(f"abcd{GAP_MARK}{chr(UNREADABLE)} efg ", f" {GAP_MARK}{chr(UNREADABLE)}"))
    assert silent.invented_per_million == 0


def test_misread_ink_is_not_invented() -> None:
    row = row_of(page_of(f"{WIDE}ab"), reading_of("XYac"))
    assert row.kept_share == 1.0
    assert row.kept_accuracy == pytest.approx(1 / 3)
    assert row.invented_per_million == 0


def test_a_full_width_character_counts_once() -> None:
    assert row_of(page_of(f"{WIDE}{WIDE}ab"), reading_of(f"{WIDE}{GAP_MARK}{GAP_MARK}ab")).kept_share == 0.75
    assert row_of(page_of("ab"), reading_of(f"ab{WIDE}")).invented_per_million == 0.5e6


def test_a_reading_may_be_shorter_than_the_page() -> None:
    row = row_of(page_of("ab", "cd"), reading_of("ab"))
    assert (row.kept_share, row.kept_accuracy, row.silent_errors_per_10k) == (1.0, 0.5, 0.0)


def test_a_page_of_gaps_and_an_empty_page_have_figures() -> None:
    gaps = row_of(page_of("abcd"), reading_of(GAP_MARK * 4))
    assert (gaps.kept_share, gaps.kept_accuracy) == (0.0, 1.0)
    assert (gaps.flagged_share, gaps.silent_errors_per_10k, gaps.calibration_error) == (0.0, 0.0, 0.0)
    empty = row_of(page_of("____"), reading_of("____"))
    assert (empty.kept_share, empty.kept_accuracy) == (1.0, 1.0)
    assert empty.invented_per_million == 0


def test_gaps_of_the_page_itself_are_not_characters() -> None:
    row = row_of(page_of(f"ab{GAP_MARK}cd"), reading_of(f"ab{GAP_MARK}cd"))
    assert (row.kept_share, row.kept_accuracy, row.invented_per_million) == (1.0, 1.0, 0.0)


def test_what_a_lower_tier_reads_in_a_gap_is_invented_even_if_it_is_right() -> None:
    codec: Any = Scripted(reading_of(f"abcdef{GAP_MARK * 4}"), reading_of(f"aXcdefghY{GAP_MARK}"))
    (row,) = measure_ageing(codec, PageSet([page_of("abcdefghij")]), "en", ("base", "small"))
    assert (row.kept_share, row.kept_accuracy) == (0.6, pytest.approx(5 / 6))
    assert row.invented_per_million == pytest.approx(3 / 10 * 1e6)


def test_several_pages_are_counted_together() -> None:
    pages = [page_of("abcd"), page_of("efghij")]
    readings = [reading_of(f"abc{GAP_MARK}"), reading_of("efghiX_Y")]
    found = compare_pages([page.cells for page in pages], [page.cells for page in pages], readings)
    assert (found.characters, found.invented) == (10, 1)
    assert (found.kept_share, found.kept_accuracy) == (0.9, pytest.approx(8 / 9))
    right, confidence = compared(pages, readings)
    assert right.tolist() == [True] * 8 + [False]
    assert confidence.tolist() == [1.0] * 9


def test_bytes_count_everything_that_is_stored() -> None:
    codec: Any = Scripted(reading_of("abcd"), reading_of("abcd"), token_bytes=(48, 148))
    row = measure(codec, PageSet([page_of("abcd")] * 2), "small", "en")
    sizes = [len(tokens.to_bytes()) for tokens in codec.encode([object()] * 2, "small")]
    assert sizes[1] - sizes[0] == 101  # one more digit in the header
    assert row.bytes_per_page == sum(sizes) / 2
    assert row.bits_per_character == sum(sizes) * 8 / 8
    assert row.vision_tokens == 2


def test_text_compressors_are_measured_page_by_page() -> None:
    text = "the same words again, " * 40
    codec: Any = Scripted(*(reading_of(text[:160]) for _ in range(2)))
    row = measure(codec, PageSet([page_of(text[:160])] * 2), "small", "en")
    size = text_size(text[:160].rstrip())
    assert row.zstd_bits_per_character == pytest.approx(size.zstd_bytes * 2 * 8 / row.characters)
    if size.ppmd_bytes is not None:
        assert row.ppmd_bits_per_character == pytest.approx(size.ppmd_bytes * 2 * 8 / row.characters)


def test_ppmd_streams_of_that_length_decode_to_the_text() -> None:
    pyppmd = pytest.importorskip("pyppmd", reason="PPMd needs the extra 'bench'")
    data = "Grüße aus dem Hafen, und eine Zahl: 4711. ".encode() * 20
    encoder = pyppmd.Ppmd7Encoder(6, 16 << 20)
    stream = encoder.encode(data) + encoder.flush(endmark=False)
    assert pyppmd.Ppmd7Decoder(6, 16 << 20).decode(stream, len(data)) == data
    assert ppmd_bytes(data) == len(stream) < len(data) / 4


def test_ppmd_is_left_out_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foxing.encoder.bench.text_size.find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "pyppmd", None)
    assert text_size("a text that was not measured before").ppmd_bytes is None
    with pytest.raises(CodecError, match=r"pip install 'foxing\[bench\]'"):
        ppmd_bytes(b"text")


def test_facts_are_those_that_never_fade() -> None:
    page = messages_of("Then Ada said not to pay 40 zloty on Friday, the boring zymurgist left")
    facts = "said not to pay 40 zloty on Friday"
    found = compare_words([page], [reading_of(f"Then Ada {facts}, {GAP_MARK} left")])
    assert 5 <= found.facts == found.facts_kept < found.words_kept == found.words - 3
    lost = compare_words([page], [reading_of(f"Then {GAP_MARK} {facts}, {GAP_MARK} left")])
    assert (lost.facts_kept, lost.words_kept) == (found.facts - 1, found.words_kept - 1)
    row = row_of(page, reading_of(f"Then Ada {facts}, the boring zymurgist left"))
    assert (row.words, row.facts, row.invented_words_per_million) == (1, 1, 0)


def test_a_lost_word_does_not_shift_the_others_and_order_counts() -> None:
    page = messages_of("one two three four five")

    def right(text: str) -> int:
        return compare_words([page], [reading_of(text)]).words_kept

    assert right(f"one {GAP_MARK} three four five") == 4
    assert right(f"{GAP_MARK} five") == 1
    assert right("two one three four five") == 4
    assert right("One two Three four") == 2  # letters differ in case


def test_words_are_compared_message_by_message() -> None:
    page = messages_of("the tea is cold", "our tea is warm")
    found = compare_words([page], [reading_of("our tea is warm", "the tea is cold")])
    assert (found.words_kept, found.invented) == (4, 4)
    below = compare_words([page], [reading_of("the tea is cold", "our tea is warm__and sweet")])
    assert (below.words_kept, below.words, below.invented) == (8, 8, 2)


def test_invented_words_count_flagged_or_not_for_a_million_characters() -> None:
    page = messages_of("the tea is cold")
    codec: Any = Scripted(reading_of("the sea is colder", doubtful="s"))
    row = measure(codec, PageSet([page]), "small", "en")
    assert row.invented_words_per_million == pytest.approx(2e6 / 12)
    assert row.words == 0.75


@pytest.mark.parametrize(
    ("read", "invented"),
    [
        (f"he met Zebe{GAP_MARK}", 0),
        (f"he met {GAP_MARK}dee", 0),
        (f"he met Zeb{GAP_MARK}ee", 0),
        (f"he met Zeb'{GAP_MARK}", 0),
        (f"he met {GAP_MARK}-dee", 0),
        (f"he met {GAP_MARK} Zebe", 1),
        (f"he met Zebe {GAP_MARK}", 1),
        (f"he met Zoo{GAP_MARK}", 1),
        (f"he met Zeb{chr(UNREADABLE)}dee", 0),
        (f"he met {GAP_MARK}", 0),
    ],
)
def test_what_is_left_of_a_word_is_neither_right_nor_invented(read: str, invented: int) -> None:
    found = compare_words([messages_of("he met Zebedee")], [reading_of(read)])
    assert (found.words - found.words_kept, found.invented) == (1, invented)


def test_a_page_that_was_set_again_is_compared_by_its_own_spans() -> None:
    page = messages_of("the tea is cold", "gone", "my cup is warm")
    left = (f"{GAP_MARK} cold", f"my {GAP_MARK} warm")
    spans = tuple(
        Placement(f"m{2 * row}", "talk", s.header_start, s.start, s.stop, 0, 0) for row, s in enumerate(spans_of(*left))
    )
    found = compare_words([page], [reading_of(*left)], [spans])
    assert (found.words_kept, found.words, found.invented) == (3, 9, 0)


def test_headers_hold_no_words() -> None:
    text = "▶user Ada 2023-05-08 hello"
    page = Page(DENSE_PAGE, cells_of(text), (Placement("m", "talk", 0, 21, 26, 0, 5),))
    found = compare_words([page], [reading_of(text.replace("Ada", "Eve"))])
    assert (found.words, found.words_kept, found.invented) == (1, 1, 0)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec("native", "cpu")


@pytest.mark.parametrize("tier", ["large", "small"])
def test_the_native_codec_keeps_a_short_page(codec: Codec, tier: str) -> None:
    messages = [{"role": "user", "content": "The parser drops the last line of a file without a newline at its end."}]
    texts = texts_of([{"id": "talk", "lang": "en", "messages": messages * 6}], codec)
    row = measure(codec, first_pages(texts, 1), tier, "group")
    assert (row.kept_share, row.invented_per_million) == (1.0, 0.0)
    assert row.kept_accuracy > 0.99
    assert row.words is not None
    assert row.words > 0.98
    assert row.invented_words_per_million < 1e6 / 300
    assert row.bytes_per_page * 8 == pytest.approx(row.bits_per_character * row.characters)
    assert row.ppmd_bits_per_character is None or row.ppmd_bits_per_character > 0
