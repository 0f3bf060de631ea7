"""Instructions to a model in texts that are data, recognised by a linear scorer of neighbouring sentences.

Its features are what a window of one to three sentences speaks of, alone and in pairs (the terms of each concept stand
in `data/planted.toml`), what the sentences around it speak of, and its words. The weights, in `data/planted.npz`, are
those of `training/planted`. Letters with blanks, dots or dashes between them are joined first, and short Base64 texts
decoded. Of a long text the beginning and the end alone are read. Time is in proportion to the text.
"""

import binascii
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TERMS = Path(__file__).with_name("data") / "planted.toml"
WEIGHTS = Path(__file__).with_name("data") / "planted.npz"
#: Characters that are read at the beginning and at the end of a text.
READ_CHARS = 32_768
#: Base64 texts that are decoded.
MAX_DECODED = 8
#: Most sentences of a window, and those on either side that are its neighbours.
WINDOW = 3
MARGIN = 2
#: Buckets of words have numbers of so many bits.
BITS = 16
#: Characters of a sentence: shorter ones are joined to the next, longer ones divided.
SHORTEST = 14
LONGEST = 320
#: The sentence with which most attacks begin, recognised whatever stands around it, but for quotation marks.
_KNOWN = re.compile(
    r"(?:^|[\n.!?:;,>*#(-]|\bplease|\bbitte) ?(?:"
    r"(?:ignore|disregard|forget) ?(?:all ?|any ?|every ?)?(?:of ?)?(?:the ?|your ?|my ?)?"  # spelled: without blanks
    r"(?:previous|prior|earlier|preceding) ?(?:instruction|prompt|rule|direction|guideline)"
    r"|(?:ignoriere?|vergiss|missachte) (?:alle|sämtliche|deine|die) (?:bisherigen|vorherigen|vorigen|früheren) "
    r"(?:anweisung|instruktion|regel|vorgabe)"
    r"|(?:ignorez?|oubliez?) (?:toutes )?(?:les|tes|vos) (?:instructions|consignes|règles) (?:précédente|antérieure)"
    r")|(?:^|[\n。!?,:,:])(?:请)?(?:忽略|无视|忘记)(?:之前|以上|先前|此前)?的?(?:所有|全部|一切)"
    r"(?:之前|以上|先前|此前)?的?(?:指令|指示|规则)"
    r"|(?:^|[\n.!?:,] ?)(?:이전|기존|앞선)의? ?(?:모든 )?(?:지시|지침|명령)(?:를|을)? ?(?:모두 )?"
    r"무시하(?:고|세요|십시오|라)"
)
_BLANKS = re.compile(r"[^\S\n]+")
_LINE_ENDS = re.compile(r"\n\s++")
_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
#: Letters of other scripts that look like Latin ones, and tag characters, which are not seen.
_LOOKALIKES = str.maketrans("аеорсухіјѕԁɡοαει’", "aeopcyxijsdgoaei'") | {0xE0000 + n: n for n in range(0x20, 0x7F)}
_SPELLED = re.compile(r"(?<!\w)\w(?:(?:[ .*_|·~#-]\w(?!\w)){3,400}|(?:[.*|·~#-]\w(?!\w)){1,400})")
_SEPARATOR = re.compile(r"[ .*_|·~#-]")
_MIXED = re.compile("[a-z][013457]|[013457][a-z]")
_LETTER_DIGITS = re.compile(r"(?<!\w)[a-z013457]{4,24}(?!\w)")
_DIGITS = str.maketrans("013457", "oieast")
_BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{24,4096}={0,2}(?![\w+/])")
_SENTENCE_END = re.compile(r"""\n|[.?!](?=["'»”)\]]{0,2}\s)|[。!]|(?=<!--)|-->|(?=</?[a-z])|(?<=")[,:]""")
_LENGTHS = np.arange(1, 28)
#: First characters of a term by which it is sought.
FIRST = 2
#: Lengths of terms that begin with a letter of a script without blanks.
_DENSE_LENGTHS = _LENGTHS[:10]
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_MIX = np.uint64(0xD6E8FEB86659FD93)

#: What a sentence can be beside what it speaks of: spelled letter by letter, decoded from Base64, and its script.
_FORMS = ("spelled", "decoded", "han", "hangul")
_DECODED = "\x02"

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]


class PlantedTerms(NamedTuple):
    """The terms of all concepts, by their hashes."""

    concepts: tuple[str, ...]
    #: Hashes in order, and the concepts of each as bits: of a term that may go on, and of one that is a whole word.
    hashes: Hashes
    open_bits: Hashes
    whole_bits: Hashes
    #: Whether a hash with these first 16 bits exists, and whether one of the first characters of a longer term does.
    likely: NDArray[np.bool_]
    likely_first: NDArray[np.bool_]


class Windows(NamedTuple):
    """Features of the windows of a text."""

    #: Number of the first sentence of each, and of the one after its last.
    first: NDArray[np.intp]
    end: NDArray[np.intp]
    #: Concepts of each window and of its neighbours. Shape (windows, concepts), 0 or 1.
    concepts: NDArray[np.float32]
    neighbours: NDArray[np.float32]
    #: Characters of each window.
    length: NDArray[np.float32]
    #: Buckets of the words and phrases of the text, and where those of each sentence begin.
    words: NDArray[np.intp]
    word_starts: NDArray[np.intp]
    #: The text as it is read.
    text: str


class PlantedWeights(NamedTuple):
    """Weights of a linear scorer of windows."""

    #: Of a window with one sentence, two and so on.
    size: NDArray[np.float32]
    length: NDArray[np.float32]
    concepts: NDArray[np.float32]
    pairs: NDArray[np.float32]
    neighbours: NDArray[np.float32]
    words: NDArray[np.float32]
    threshold: NDArray[np.float32]


class _Text:
    """Characters of a text with hashes of every part of it."""

    def __init__(self, text: str) -> None:
        self.codes: Codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        values = (self.codes.astype(np.uint64) + np.uint64(1)) * _MIX
        powers = np.full(len(values), _BASE)
        inverses = np.full(len(values) + 1, _INVERSE)
        if len(values):
            powers[0] = 1
        inverses[0] = 1
        self._sums: Hashes = np.zeros(len(values) + 1, dtype=np.uint64)
        np.cumsum(values * np.cumprod(powers), out=self._sums[1:])
        self._inverses = np.cumprod(inverses)

    def hashes(self, first: NDArray[np.intp], end: NDArray[np.intp]) -> Hashes:
        """Returns the hashes of parts."""
        value = (self._sums[end] - self._sums[first]) * self._inverses[first]
        value ^= value >> np.uint64(32)
        value *= _MIX
        return value ^ (value >> np.uint64(29))


@cache
def planted_terms(path: Path = TERMS) -> PlantedTerms:
    """Returns the terms of all concepts."""
    source: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))
    terms = [
        (term.removesuffix("$").replace("_", " "), term.endswith("$"), number)
        for number, text in enumerate(source.values())
        for term in text.strip().replace("\n", "·").split("·")
    ]
    lengths = np.array([len(term) for term, _, _ in terms])
    part = _Text("".join(term for term, _, _ in terms))
    first = np.cumsum(lengths) - lengths
    likely_first = np.zeros(1 << 16, dtype=np.bool_)
    likely_first[part.hashes(first, first + np.minimum(lengths, FIRST)) >> np.uint64(48)] = True
    bits: dict[int, list[int]] = {}
    for key, (_, whole, number) in zip(part.hashes(first, first + lengths).tolist(), terms, strict=True):
        bits.setdefault(key, [0, 0])[whole] |= 1 << number
    hashes = np.array(sorted(bits), dtype=np.uint64)
    likely = np.zeros(1 << 16, dtype=np.bool_)
    likely[hashes >> np.uint64(48)] = True
    return PlantedTerms(
        (*source, *_FORMS),
        hashes,
        np.array([bits[key][False] for key in hashes.tolist()], dtype=np.uint64),
        np.array([bits[key][True] for key in hashes.tolist()], dtype=np.uint64),
        likely,
        likely_first,
    )


@cache
def planted_weights(path: Path = WEIGHTS) -> PlantedWeights:
    """Returns the weights."""
    with np.load(path) as arrays:
        scales = {name.removesuffix("_scale"): arrays[name] for name in arrays.files if name.endswith("_scale")}
        return PlantedWeights(
            **{name: arrays[name].astype(np.float32) * scales.get(name, 1) for name in PlantedWeights._fields}
        )


def planted_form(text: str) -> str | None:
    """Returns the concepts by which instructions to a model are recognised in a text; None if they are not."""
    windows = windows_of(text)
    if _KNOWN.search(windows.text):
        return "override"
    weights = planted_weights()
    scores = window_scores(windows, weights)
    best = int(scores.argmax())
    if scores[best] < weights.threshold:
        return None
    own = windows.concepts[best]
    shares = own * (weights.concepts + weights.pairs @ own)
    names = planted_terms().concepts
    return ", ".join(sorted(names[n] for n in np.argsort(-shares)[:4] if own[n] and shares[n] > 0)) or "words"


def window_scores(windows: Windows, weights: PlantedWeights) -> NDArray[np.float32]:
    """Returns the score of each window."""
    sums = np.concatenate([np.zeros(1, np.float32), np.cumsum(weights.words[windows.words], dtype=np.float32)])
    start = windows.word_starts[windows.first]
    end = windows.word_starts[windows.end]
    scores = (sums[end] - sums[start]) / np.sqrt(end - start + 4)
    scores += weights.size[windows.end - windows.first - 1] + weights.length * np.log(windows.length)
    scores += windows.concepts @ weights.concepts + windows.neighbours @ weights.neighbours
    return np.asarray(scores + ((windows.concepts @ weights.pairs) * windows.concepts).sum(1), dtype=np.float32)


def windows_of(text: str) -> Windows:
    """Returns the features of the windows of a text."""
    if len(text) > 2 * READ_CHARS:
        text = f"{text[:READ_CHARS]}\n{text[-READ_CHARS:]}"
    plain, spelled = _plain(text)
    plain = f"\n{plain}\n"
    part = _Text(plain)
    latin, dense = _letters(part.codes)
    starts = _sentence_starts(plain)
    numbers = np.arange(len(starts) - 1)
    own = _concepts_of(part, latin, dense, starts, spelled)
    first = np.concatenate([numbers[: len(numbers) - size] for size in range(WINDOW)])
    end = np.concatenate([numbers[size:] + 1 for size in range(WINDOW)])
    words, word_starts = _words_of(part, latin, dense, starts)
    outer_first = np.maximum(first - MARGIN, 0)
    outer_end = np.minimum(end + MARGIN, len(numbers))
    return Windows(
        first,
        end,
        _union(own, first, end, WINDOW),
        _union(own, outer_first, outer_end, WINDOW + 2 * MARGIN),
        (starts[end] - starts[first]).astype(np.float32),
        words,
        word_starts,
        plain,
    )


def _union(own: Hashes, first: NDArray[np.intp], end: NDArray[np.intp], sentences: int) -> NDArray[np.float32]:
    """Returns the concepts of consecutive sentences together."""
    bits = own[first]
    for further in range(1, sentences):
        bits |= np.where(first + further < end, own[np.minimum(first + further, len(own) - 1)], np.uint64(0))
    count = len(planted_terms().concepts)
    return ((bits[:, None] >> np.arange(count, dtype=np.uint64)) & np.uint64(1)).astype(np.float32)


@cache
def _word_table() -> NDArray[np.bool_]:
    return np.array([chr(code).isalnum() for code in range(0x2000)], dtype=np.bool_)


def _letters(codes: Codes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Returns which characters are letters or digits of scripts with blanks between words, and which of other scripts.
    Korean counts among the others, since its words go on with particles."""
    latin = _word_table()[np.minimum(codes, 0x1FFF)] & (codes < 0x2000)
    dense = ((codes >= 0x3040) & (codes < 0xA000)) | ((codes >= 0xAC00) & (codes < 0xD7A4))
    return latin, dense


def _sentence_starts(plain: str) -> NDArray[np.intp]:
    """Returns where sentences begin, and the end of the text."""
    starts = [0]
    for match in _SENTENCE_END.finditer(plain):
        place = match.end()
        while place - starts[-1] > LONGEST:
            cut = plain.rfind(" ", starts[-1] + LONGEST // 2, starts[-1] + LONGEST)
            starts.append(cut if cut > 0 else starts[-1] + LONGEST)
        if place - starts[-1] >= SHORTEST:
            starts.append(place)
    while len(plain) - starts[-1] > LONGEST:
        cut = plain.rfind(" ", starts[-1] + LONGEST // 2, starts[-1] + LONGEST)
        starts.append(cut if cut > 0 else starts[-1] + LONGEST)
    if len(starts) > 1 and len(plain) - starts[-1] < SHORTEST:
        starts.pop()
    return np.array([*starts, len(plain)])


def _concepts_of(
    part: _Text,
    latin: NDArray[np.bool_],
    dense: NDArray[np.bool_],
    starts: NDArray[np.intp],
    spelled: list[tuple[int, int]],
) -> Hashes:
    """Returns the concepts of each sentence as bits."""
    terms = planted_terms()
    result = np.zeros(len(starts) - 1, dtype=np.uint64)
    begins = ~latin | ~np.concatenate([[False], latin[:-1]])
    begins &= part.codes != ord(" ")
    for first, end in spelled:
        begins[first + 1 : end + 1] = True
    after = np.concatenate([~latin, [True]])
    for places, lengths in (
        (np.flatnonzero(begins & ~dense), _LENGTHS),
        (np.flatnonzero(dense), _DENSE_LENGTHS),
    ):
        likely = np.zeros(len(places), dtype=np.bool_)
        for length in range(1, FIRST + 1):
            hashes = part.hashes(places, np.minimum(places + length, len(part.codes)))
            likely |= terms.likely_first[hashes >> np.uint64(48)]
        places = places[likely]
        for at in range(0, len(places), 4096):
            block = places[at : at + 4096]
            ends = np.minimum(block[:, None] + lengths, len(part.codes))
            hashes = part.hashes(block[:, None], ends)
            rows, columns = np.nonzero(terms.likely[hashes >> np.uint64(48)])
            chosen = hashes[rows, columns]
            numbers = np.minimum(np.searchsorted(terms.hashes, chosen), len(terms.hashes) - 1)
            right = terms.hashes[numbers] == chosen
            rows = rows[right]
            columns = columns[right]
            numbers = numbers[right]
            whole = after[ends[rows, columns]]
            bits = terms.open_bits[numbers] | np.where(whole, terms.whole_bits[numbers], np.uint64(0))
            np.bitwise_or.at(result, np.searchsorted(starts, block[rows], side="right") - 1, bits)
    codes = part.codes
    forms = (
        np.array([first for first, _ in spelled], dtype=np.intp) + 1,
        np.flatnonzero(codes == ord(_DECODED)),
        np.flatnonzero((codes >= 0x3400) & (codes < 0xA000)),
        np.flatnonzero((codes >= 0xAC00) & (codes < 0xD7A4)),
    )
    for number, places in enumerate(forms, len(terms.concepts) - len(_FORMS)):
        result[np.searchsorted(starts, places, side="right") - 1] |= np.uint64(1 << number)
    return result


def _words_of(
    part: _Text, latin: NDArray[np.bool_], dense: NDArray[np.bool_], starts: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the buckets of words, their beginnings, pairs of words, and short parts of texts without blanks, in
    order; and where those of each sentence begin."""
    edges = np.diff(np.concatenate([[0], latin.view(np.int8), [0]]))
    first = np.flatnonzero(edges == 1)
    end = np.flatnonzero(edges == -1)
    adjacent = first[1:] - end[:-1] <= 2
    run = np.flatnonzero(dense)
    places = [first, first, first[:-1][adjacent], run]
    ends = [end, np.minimum(end, first + 5), end[1:][adjacent], run + 1]
    for step in (1, 2):
        run = run[dense[np.minimum(run + step, len(dense) - 1)]]
        places.append(run)
        ends.append(run + step + 1)
    begin = np.concatenate(places)
    order = np.argsort(begin, kind="stable")
    hashes = part.hashes(begin, np.concatenate(ends))[order]
    return (hashes >> np.uint64(64 - BITS)).astype(np.intp), np.searchsorted(begin[order], starts)


def _plain(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Returns a text in lower case without what hides its words, and where words stand in it that were spelled letter
    by letter."""
    decoded = "\n".join(f"{_DECODED}{line}" for line in _decoded(text))
    text = f"{text}\n{decoded}" if decoded else text
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", text).translate(_LOOKALIKES))
    text = text.casefold().replace("\\n", "\n")
    text = _BLANKS.sub(" ", _LINE_ENDS.sub("\n", text))
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    place = length = 0
    for match in _SPELLED.finditer(text):
        word = _SEPARATOR.sub("", match[0])
        if not word.isdigit():
            word = word.translate(_DIGITS)
        pieces += [text[place : match.start()], word]
        length += match.start() - place
        spans.append((length, length + len(word)))
        length += len(word)
        place = match.end()
    text = "".join([*pieces, text[place:]])
    return _LETTER_DIGITS.sub(_word_of_digits, text) if _MIXED.search(text) else text, spans


def _word_of_digits(match: re.Match[str]) -> str:
    """Returns a word of letters and digits with letters in their place; a number stays one."""
    word = match[0]
    digits = sum(not char.isalpha() for char in word)
    return word.translate(_DIGITS) if 0 < digits <= len(word) // 2 else word


def _decoded(text: str) -> Iterator[str]:
    """Yields the texts that stand in a text in Base64."""
    for number, match in enumerate(_BASE64.finditer(text)):
        if number == MAX_DECODED:
            return
        try:
            plain = binascii.a2b_base64(match[0] + "=" * (-len(match[0]) % 4)).decode()
        except ValueError:
            continue
        if plain.isprintable():
            yield plain
