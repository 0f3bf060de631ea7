"""Where pages end: what they take apart, what room that costs, and words of faded pages that were never said.

python -m benchmarks.page_breaks --data FOLDER [--pages N] [--tiers small tiny micro]

Every group of FOLDER (files of JSON Lines of messages) is set on the dense page, on the printed page and on the images
of every reader that sees images. Each cut is looked at by rules that know only the characters beside it and nothing of
the breaker's. The room is compared with that of the same messages cut wherever the page is full. With `--pages`, so
many dense pages of each group are also encoded both ways, and faded to each tier, where the words that stand on a part
of a message are looked for among the words of the whole message.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from foxing.encoder import Codec, PageDrawer, Reading, load_codec
from foxing.encoder.bench.corpus import PageSet
from foxing.encoder.bench.documents import entries, full_pages, read_messages
from foxing.encoder.bench.drawing import TierDrawer
from foxing.encoder.bench.word_classes import words_of
from foxing.renderer import PRINTED_PAGE, Entry, Page, PageLayout, Typesetter, render, transcribe, typeset
from foxing.renderer.readers import Readers, reader_layout

#: Share of a page that a run without blanks must take to be cut anywhere.
LONG = 1 / 4
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0003ffff"
_LETTER = rf"[^\W_{_UNSPACED}]"
_MONTHS = (
    "jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|février|mar(?:ch|s|zo)?|märz|apr(?:il)?|avril|abril|ma[iy]o?|june?|juni|juin|"
    "july?|juli|juillet|aug(?:ust)?|août|sep(?:t|tember|tembre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|de[cz](?:ember)?|"
    "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря"
)
_UNITS = (
    r"%|‰|°|€|\$|£|[kKMGT]i?B\b|[kcm]?m\b|[kmµ]?g\b|ms\b|s\b|h\b|min\b|am\b|pm\b|a\.m|p\.m|Uhr\b|hours?\b|days?\b|weeks?\b|"
    r"months?\b|years?\b|minutes?\b|seconds?\b|Tagen?\b|Stunden?\b|Wochen?\b|Jahren?\b|jours?\b|heures?\b|ans?\b|"
    r"дн|час|лет|год|руб|км\b|кг\b|원|개|명|년|월|일|시|분|살|번|[年月日号時时分秒円元人歳岁才個个回]"
)
_CAPITAL = "A-Z\u00c0-\u00d6\u00d8-\u00de\u0410-\u042f"
_LOWER = "a-z\u00df-\u00f6\u00f8-\u00ff\u0430-\u044f"
#: What must not stand before and after a cut together.
_RULES: tuple[tuple[str, str, str], ...] = (
    ("word", rf"{_LETTER}\Z", rf"{_LETTER}"),
    ("number", r"\d[.,:/]?\Z", r"[.,:/]?\d"),
    ("number", r"\d\s?\Z", rf"(?i:{_UNITS})"),
    ("number", r"[$€£¥₩]\s?\Z", r"\d"),
    ("number", r"(?<!\d)\d{1,3}[ \u00a0]\Z", r"\d{3}(?!\d)"),
    ("date", r"\d(?:st|nd|rd|th|\.)? (?:of |de )?\Z", rf"(?i:(?:of |de )?(?:{_MONTHS})\b)"),
    ("date", rf"(?i:\b(?:{_MONTHS})\.? (?:de )?)\Z", r"\d"),
    ("date", rf"(?i:\b(?:{_MONTHS})\.? \d{{1,2}},? )\Z", r"(?:19|20)\d\d\b"),
    ("date", r"(?:\d년|\d월|오전|오후) ?\Z", r"\d"),
    ("date", r"(?:[年月]|午前|午後|上午|下午)\Z", r"\d"),
    ("name", rf"(?<![^\s(\"'“])[{_CAPITAL}][{_LOWER}'’-]+ \Z", rf"[{_CAPITAL}][{_LOWER}]"),
    (
        "name",
        rf"(?<![^\s(\"'“])[{_CAPITAL}][{_LOWER}'’-]+ (?:de|del|della|van|von|der|du|di|da) \Z",
        rf"[{_CAPITAL}][{_LOWER}]",
    ),
)
_COMPILED = [(kind, re.compile(before), re.compile(after)) for kind, before, after in _RULES]
#: A run without blanks, of a script that has them, as far as no full-width punctuation ends it.
_BLOCK = re.compile(rf"[^\s{_UNSPACED}\u3000-\u303f\uff01-\uff0f\uff1a-\uff20]*")
_CONTEXT = 80


@dataclass
class Cuts:
    """The cuts of a group on a layout."""

    pages: int = 0
    cells: int = 0
    characters: int = 0
    cuts: int = 0
    #: Cuts inside a run that is longer than `LONG` of a page.
    long: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


def taken_apart(text: str, place: int, longest: int) -> str | None:
    """What a cut at `place` takes apart; "long" for a run of more than `longest` characters, None for nothing."""
    before, after = text[max(0, place - _CONTEXT) : place], text[place : place + _CONTEXT]
    left, right = _BLOCK.match(text[:place][::-1]), _BLOCK.match(text[place:])
    block = (left.end() if left else 0, right.end() if right else 0)
    if min(block) > 0 and sum(block) >= longest:
        return "long"
    found = (kind for kind, ends, begins in _COMPILED if ends.search(before) and begins.match(after))
    return next(found, "identifier" if min(block) > 0 else None)


def count_cuts(pages: Sequence[Page], messages: Sequence[Entry]) -> Cuts:
    """The cuts of `pages` full of `messages`."""
    by_id = {message.message_id: message for message in messages}
    found = Cuts(len(pages))
    for page in pages:
        found.cells += page.layout.cells
        found.characters += sum(span.char_stop - span.char_start for span in page.spans)
        for span in page.spans:
            text = by_id[span.message_id].content
            if span.char_stop == len(text):
                continue
            found.cuts += 1
            kind = taken_apart(text, span.char_stop, int(LONG * page.layout.cells))
            if kind == "long":
                found.long += 1
            elif kind is not None:
                found.wrong[kind] += 1
                near = text[max(0, span.char_stop - 30) : span.char_stop], text[span.char_stop : span.char_stop + 30]
                found.examples.append(f"{kind}: {near[0]!r} | {near[1]!r}")
    return found


@contextmanager
def cut_anywhere() -> Iterator[None]:
    """Pages end wherever their room does."""

    def at_the_end(text: str, limit: int, cells: int, *, least: int = 0) -> int:
        return limit

    with patch.object(typeset, "best_break", at_the_end):
        yield


def words_never_said(pages: Sequence[Page], readings: Sequence[Reading], messages: Sequence[Entry]) -> Counter[str]:
    """Words on parts of messages that are no words of the message. Those that are said to be possibly misread count
    together, as "flagged"."""
    by_id = {message.message_id: message for message in messages}
    found: Counter[str] = Counter()
    for page, reading in zip(pages, readings, strict=True):
        cells, confidence = reading.cells.reshape(-1), reading.confidence.reshape(-1)
        for span in page.spans:
            run = slice(span.start, span.stop)
            left = transcribe(cells[run], confidence[run], layout=page.layout, start=span.start)
            said = {word.text for word in words_of(by_id[span.message_id].content)}
            for word in words_of(left.text):
                found["words"] += 1
                if word.text not in said:
                    sure = (left.confidence[word.start : word.stop] >= reading.flag_below).all()
                    found[word.text if sure else "flagged"] += 1
    return found


def layouts(codec: Codec) -> dict[str, tuple[PageLayout, Typesetter]]:
    """The dense page, the printed page, and the image of each reader, by name; readers with the same one share it."""
    found = {"dense": codec.layout, "printed": PRINTED_PAGE}
    found |= {name: reader_layout(reader) for name, reader in Readers().items() if reader.sees}
    names: dict[PageLayout, list[str]] = {}
    for name, layout in found.items():
        names.setdefault(layout, []).append(name)
    return {
        ", ".join(alike): (layout, Typesetter(layout, codec.repertoire if layout == codec.layout else None))
        for layout, alike in names.items()
    }


def groups(folder: Path) -> dict[str, list[Entry]]:
    """File → its messages."""
    files = sorted(path for path in folder.iterdir() if ".jsonl" in path.name)
    return {path.name.split(".")[0]: entries(list(read_messages(path))) for path in files}


def encoded_bytes(codec: Codec, pages: Sequence[Page]) -> int:
    images = [render(page.cells, page.layout, "base") for page in pages]
    return sum(len(tokens.data) for tokens in codec.encode(images, "base"))


def fade(codec: Codec, drawer: PageDrawer, pages: list[Page], messages: list[Entry], tier: str) -> Counter[str]:
    """Words that were never said on `pages` at `tier`."""
    drawn = TierDrawer(codec, PageSet(pages, messages), drawer).draw(tier)
    images = [render(page.cells, page.layout, tier) for page in drawn.pages]
    readings = codec.decode(codec.encode(images, tier))
    ids = [[span.message_id for span in page.spans] for page in pages]
    assert [[span.message_id for span in page.spans] for page in drawn.pages] == ids
    return words_never_said(drawn.pages, readings, messages)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of files of messages")
    parser.add_argument("--pages", type=int, default=0, help="dense pages of each group that are encoded and faded")
    parser.add_argument("--tiers", nargs="*", default=["small", "tiny", "micro"])
    parser.add_argument("--examples", type=int, default=3, help="examples shown of each layout")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    codec = load_codec("native")
    texts = groups(options.data)
    result: dict[str, object] = {"cuts": _report_cuts(texts, layouts(codec), options.examples)}
    if options.pages:
        result |= _report_tiers(codec, texts, options.pages, options.tiers)
    if options.json:
        print(json.dumps(result, ensure_ascii=False, indent=1))


def _report_cuts(
    texts: dict[str, list[Entry]], setters: dict[str, tuple[PageLayout, Typesetter]], examples: int
) -> list[dict[str, object]]:
    rows = []
    for name, (_, typesetter) in setters.items():
        whole, anywhere = Cuts(), Cuts()
        for messages in texts.values():
            chosen = count_cuts(_last_left_out(full_pages(messages, typesetter)), messages)
            with cut_anywhere():
                free = count_cuts(_last_left_out(full_pages(messages, typesetter)), messages)
            for total, part in ((whole, chosen), (anywhere, free)):
                total.pages, total.cells = total.pages + part.pages, total.cells + part.cells
                total.characters, total.cuts = total.characters + part.characters, total.cuts + part.cuts
                total.long, total.examples = total.long + part.long, total.examples + part.examples
                total.wrong.update(part.wrong)
        room = (whole.cells / max(1, whole.characters)) / (anywhere.cells / max(1, anywhere.characters))
        rows.append(
            {
                **{"layout": name, "pages": whole.pages, "cuts": whole.cuts, "in long runs": whole.long},
                **{"taken apart": dict(whole.wrong), "cut anywhere": dict(anywhere.wrong), "room": round(room, 4)},
            }
        )
        print(rows[-1], file=sys.stderr)
        for example in whole.examples[:examples]:
            print("  ", example, file=sys.stderr)
    return rows


def _last_left_out(pages: list[Page]) -> list[Page]:
    """`pages` but the last, which may have had too few messages."""
    return pages[:-1] if len(pages) > 1 else pages


def _report_tiers(codec: Codec, texts: dict[str, list[Entry]], limit: int, tiers: Sequence[str]) -> dict[str, object]:
    typesetter, drawer = Typesetter(codec.layout, codec.repertoire), PageDrawer(codec)
    sizes: Counter[str] = Counter()
    said: dict[str, Counter[str]] = {tier: Counter() for tier in tiers}
    per_character: Callable[[str], float] = lambda rule: sizes[rule] / max(1, sizes[f"{rule} characters"])  # noqa: E731
    for name, messages in texts.items():
        pages = full_pages(messages, typesetter, limit)
        with cut_anywhere():
            free = full_pages(messages, typesetter, limit)
        for rule, chosen in (("sentences", pages), ("anywhere", free)):
            sizes[rule] += encoded_bytes(codec, chosen)
            sizes[f"{rule} characters"] += sum(s.char_stop - s.char_start for page in chosen for s in page.spans)
            sizes[f"{rule} pages"] += len(chosen)
        for tier in tiers:
            said[tier].update(fade(codec, drawer, pages, messages, tier))
        print(name, dict(sizes), {tier: _never(count) for tier, count in said.items()}, file=sys.stderr)
    ratio = per_character("sentences") / per_character("anywhere")
    page = (sizes["sentences"] / sizes["sentences pages"]) / (sizes["anywhere"] / sizes["anywhere pages"])
    print({"bytes a character": round(ratio, 5), "bytes a page": round(page, 5)}, file=sys.stderr)
    never = {
        tier: {"words": count["words"], "flagged": count["flagged"], "never said": _never(count)}
        for tier, count in said.items()
    }
    return {"bytes a character": ratio, "bytes a page": page, "tiers": never}


def _never(count: Counter[str]) -> dict[str, int]:
    return {word: number for word, number in count.items() if word not in ("words", "flagged")}


if __name__ == "__main__":
    main()
