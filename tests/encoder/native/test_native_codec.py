"""The native codec with its released weights: conformance, accuracy, and rejected input."""

import json
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from string import ascii_letters
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from threadpoolctl import ThreadpoolController

from foxing.encoder import Codec, CodecError, TokensError, VisionTokens, load_codec
from foxing.encoder.bench import CONDITIONS, PageSet, accuracy, compared, measure, texts_of
from foxing.encoder.bench.documents import entries
from foxing.encoder.conformance import CHECKS, sample_page
from foxing.encoder.native.codec import NativeCodec
from foxing.encoder.native.decoder import PageStreams
from foxing.encoder.native.weights import WEIGHTS_PATH, load_for_reading, load_weights, save_weights
from foxing.renderer import Entry, Page, Typesetter, render
from foxing.renderer.page import BLANK

ENGLISH = (
    "Could you look at the parser again? It drops the last line when the file does not end in a newline.",
    "Found it: the loop stops at the first empty part. I changed the condition and added a test for short files and "
    "for long ones. All 212 tests pass in 8 seconds on the new machine.",
    "Thanks! Please also write to Dr. Keller (keller@example.org) that the delivery on 3 May is late by two days.",
    "Done. She answers that it is fine if pallets 17-24 arrive before Whitsun; invoice INV-20931 is 1,249.50 EUR.",
    "What did we say about the holiday? I think it was either Lisbon or the Baltic coast, and not before 10 June.",
)
CODE = (
    "Found it: `read_lines()` stops at the first empty chunk. I changed it to `while chunk := file.read(4096):` and "
    "added a test for files of 0, 1 and 4,097 bytes. All 212 tests pass in 8.4 s on Python 3.12.",
    '{"tool_call": "find_hotels", "arguments": {"city": "Seoul", "nights": 3, "max_price": 180000}}',
    "def total(rows: list[dict[str, int]]) -> int:\n    return sum(row['price'] * row['count'] for row in rows)\n",
)
KOREAN = (
    "안녕하세요, 내일 회의 시간을 오후 세 시로 바꿀 수 있을까요?",
    "네, 가능합니다. 회의실은 그대로 삼층 파란방이고 자료는 오늘 저녁까지 보내 드릴게요.",
    "고마워요. 그리고 지난주에 이야기한 예산 표도 같이 보내 주세요. 팀장님이 꼭 보고 싶다고 하셨어요.",
    "알겠습니다. 예산은 작년보다 조금 늘었지만 여행 경비는 줄었습니다. 궁금한 점이 있으면 바로 물어보세요.",
)


JAPANESE = (
    "おはようございます。明日の会議は午後三時からに変更できますか?",
    "はい、大丈夫です。会議室は三階の青い部屋のままで、資料は今晩までに送ります。",
    "ありがとうございます。先週話した予算の表も一緒に送ってください。課長が見たいと言っていました。",
)
CHINESE = (
    "你好，明天的会议可以改到下午三点吗？",
    "可以，会议室还是三楼的蓝色房间，资料今天晚上发给你。",
    "谢谢。上周说的预算表也请一起发过来，经理说一定要看。",
)
RUSSIAN = (
    "Добрый день, можно перенести завтрашнюю встречу на три часа дня?",
    "Да, конечно. Комната та же, на третьем этаже, а документы я пришлю сегодня вечером.",
)
#: Languages and signs without a file in the training data.
UNTRAINED = {
    "Greek": (
        "Πού βρίσκεται το εισιτήριο; Το άφησα δίπλα στη λάμπα χθες το βράδυ.",
        "Η πτήση φεύγει στις 14:30 από την πύλη 7, μην αργήσεις.",
    ),
    "Ukrainian": ("Де квиток? Я залишив його біля лампи вчора ввечері.", "Їжак п'є чай о 14:30, ґанок ще мокрий."),
    "Vietnamese": (
        "Vé ở đâu rồi? Tối qua tôi để nó cạnh cái đèn.",
        "Chuyến bay khởi hành lúc 14:30 từ cổng số 7, đừng đến muộn nhé.",
    ),
    "Polish": (
        "Gdzie jest bilet? Zostawiłem go wczoraj wieczorem obok lampy, źle się czuję.",
        "Zażółć gęślą jaźń, proszę o 14:30.",
    ),
    "Czech": (
        "Kde je lístek? Včera večer jsem ho nechal vedle lampy.",
        "Příliš žluťoučký kůň úpěl ďábelské ódy v 14:30.",
    ),
    "Turkish": (
        "Bilet nerede? Dün akşam lambanın yanına bıraktım.",
        "Uçak 14:30'da 7 numaralı kapıdan kalkıyor, İstanbul'a geç kalma.",
    ),
    "formulas": (
        "∀ε>0 ∃δ>0: |x−a|<δ ⇒ |f(x)−L|<ε; ∑ α²β³ ≤ π²/6 ≈ 1.645, √2 ∉ ℚ.",
        "∫₀^∞ e^{−x²} dx = √π/2 → λ·μ ± σ × ∂f/∂x ⊂ ℝⁿ, 25 °C, 3 kΩ, 10 µm",
    ),
    "trees and boxes": (
        "src/\n├── api/\n│   ├── main.py\n│   └── deploy.sh ✅\n└── README.md → done",
        "┌────┬────┐\n│ a  │ b  │\n├────┼────┤\n│ 12 │ 7  │\n└────┴────┘ ░▒▓█",
        "🚀 shipped today, 🎉 and ❤ to all • ☑ tests ☐ docs ★ 4 of 5",
    ),
}


@pytest.fixture(scope="module")
def codec() -> NativeCodec:
    loaded = load_codec("native", "cpu")
    assert isinstance(loaded, NativeCodec)
    return loaded


def page_set(codec: Codec, lines: tuple[str, ...], times: int) -> PageSet:
    return texts_of([{"id": "t", "messages": [{"role": "user", "content": line} for line in lines * times]}], codec)


def page_of(codec: Codec, lines: tuple[str, ...], times: int) -> Page:
    messages = [{"role": "user", "content": line} for line in lines * times]
    return Typesetter(codec.layout, codec.repertoire).page(entries([{"id": "t", "messages": messages}]))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.slow
def test_conformance(codec: Codec, check: Callable[[Codec], None]) -> None:
    check(codec)


def test_tiers_have_the_token_counts_of_the_design(codec: Codec) -> None:
    tokens = {name: spec.tokens for name, spec in codec.tiers.items()}
    assert tokens == {"large": 400, "base": 256, "small": 100, "tiny": 64, "micro": 38}
    assert {(spec.dtype, spec.bytes_per_token) for spec in codec.tiers.values()} == {("stream", 48)}
    assert codec.context_rows is None


@pytest.mark.parametrize(
    ("lines", "tier", "minimum"),
    [
        (ENGLISH, "large", 0.995),
        (ENGLISH, "base", 0.995),
        (ENGLISH, "small", 0.99),
        (ENGLISH, "tiny", 0.97),
        (CODE, "base", 0.96),
        (CODE, "small", 0.93),
        (KOREAN, "base", 0.98),
        (KOREAN, "small", 0.98),
        (KOREAN, "tiny", 0.93),
        (JAPANESE, "base", 0.97),
        (JAPANESE, "small", 0.96),
        (CHINESE, "base", 0.97),
        (CHINESE, "small", 0.96),
        (RUSSIAN, "base", 0.98),
        (RUSSIAN, "small", 0.97),
    ],
)
def test_ordinary_text_is_read_accurately(codec: Codec, lines: tuple[str, ...], tier: str, minimum: float) -> None:
    page = page_of(codec, lines, 3)
    reading = codec.decode(codec.encode([render(page.cells, page.layout, tier)], tier))[0]
    assert accuracy(page.text, reading.text) >= minimum


@pytest.mark.parametrize("kind", UNTRAINED)
def test_text_of_untrained_kinds_is_read_accurately(codec: Codec, kind: str) -> None:
    page = page_of(codec, UNTRAINED[kind], 3)
    reading = codec.decode(codec.encode([render(page.cells, page.layout, "base")], "base"))[0]
    assert accuracy(page.text, reading.text) >= 0.97


@pytest.mark.parametrize(
    "condition",
    ["shift 1 px", *(pytest.param(condition, marks=pytest.mark.slow) for condition in ("blur 0.5 px", "noise 8/255"))],
)
def test_degraded_images_are_read(codec: Codec, condition: str) -> None:
    row = measure(codec, page_set(codec, ENGLISH, 3), "small", "en", condition)
    assert row.accuracy >= 0.95


def test_wrong_characters_have_lower_confidence(codec: Codec) -> None:
    pages = [page_of(codec, ENGLISH + KOREAN, 3)]
    tokens = codec.encode([render(pages[0].cells, pages[0].layout, "micro")], "micro")
    right, confidence = compared(pages, codec.decode(tokens))
    assert not right.all()
    assert confidence[right].mean() > confidence[~right].mean() + 0.2


@pytest.mark.slow
def test_the_bench_measures_every_tier_language_and_condition(codec: Codec) -> None:
    groups = {"en": page_set(codec, ENGLISH, 1), "ko": page_set(codec, KOREAN, 1)}
    runs = [("small", "clean"), ("tiny", "clean"), *(("small", condition) for condition in CONDITIONS)]
    rows = [measure(codec, part, tier, name, condition) for name, part in groups.items() for tier, condition in runs]
    for row in rows:
        assert 0 < row.accuracy <= 1
        assert row.compression > 0
        assert row.bits_per_character > 0
        assert row.zstd_bits_per_character > 0
        assert row.characters == sum(len(page.text) for page in groups[row.language].pages)


@pytest.mark.slow
def test_every_character_of_the_charset_is_typeset_and_read(codec: NativeCodec) -> None:
    characters = codec.runner.charset.characters.replace(" ", "")
    parts = [characters[start : start + 3000] for start in range(0, len(characters), 3000)]
    setter = Typesetter(codec.layout, codec.repertoire)
    right = 0
    for part in parts:
        page = setter.page(entries([{"id": "t", "messages": [{"role": "user", "content": part}]}]))
        reading = codec.decode(codec.encode([render(page.cells, page.layout, "base")], "base"))[0]
        right += sum(1 for a, b in zip(page.cells.flat, reading.cells.flat, strict=False) if a == b and chr(a) in part)
    assert right >= 0.97 * len(characters)


def test_a_token_is_a_piece_of_a_stream_and_has_no_other_size(codec: NativeCodec) -> None:
    page = page_of(codec, ENGLISH, 2)
    for tier in codec.tiers:
        tokens = codec.encode([render(page.cells, page.layout, tier)], tier)[0]
        assert tokens.shape == (1, -(-len(tokens.data) // 48), 48)
        assert accuracy(page.text, codec.decode([tokens])[0].text) > 0.3
        with pytest.raises(TokensError, match="are not a page"):
            codec.decode([replace(tokens, shape=(1, -(-len(tokens.data) // 24), 24))])
        with pytest.raises(TokensError, match="only as a whole"):
            tokens.crop(0, 1)
    with pytest.raises(CodecError, match="token_bytes"):
        load_codec("native", "cpu", {"token_bytes": {"tiny": 128}})


def test_a_page_larger_than_usual_loses_nothing_with_its_confidences(codec: NativeCodec) -> None:
    """A page whose facts need it takes more than the usual number of tokens."""
    spec, drawn = codec.tiers["micro"], random.Random(3)
    mixed = tuple(" ".join("".join(drawn.choices(ascii_letters, k=6)) for _ in range(46)) for _ in range(8))
    page = page_of(codec, mixed, 1)
    [tokens] = codec.encode([render(page.cells, page.layout, "micro")], "micro")
    [certain] = codec.without_confidences([tokens])
    assert spec.bytes_per_page < len(certain.data) < len(tokens.data) <= spec.max_bytes
    before, after = codec.decode([tokens, certain])
    assert (after.cells == before.cells).all()


def non_pages(codec: Codec, tier: str) -> dict[str, Image.Image]:
    """Images that are not pages of this codec."""
    side = codec.tiers[tier].side_px
    noise = np.random.default_rng(3).normal(128, 60, (side, side))
    other_font = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(other_font)
    for line in range(side // 16):
        pen.text((4, line * 16), " ".join(ENGLISH)[line : line + 90], fill=0, font=ImageFont.load_default(size=12))
    page = render(page_of(codec, ENGLISH, 8).cells, codec.layout, tier)
    larger = page.resize((page.width * 2, page.height * 2)).crop((0, 0, page.width, page.height))
    return {
        "noise": Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)),
        "an empty page": Image.new("L", (side, side), 255),
        "another font": other_font,
        "another layout": larger,
        "upside down": page.rotate(180),
    }


@pytest.mark.parametrize("tier", [*(pytest.param(tier, marks=pytest.mark.slow) for tier in ("base", "small")), "tiny"])
@pytest.mark.slow
def test_an_image_that_is_not_a_page_is_unread(codec: NativeCodec, tier: str) -> None:
    for name, image in non_pages(codec, tier).items():
        reading = codec.decode(codec.encode([image], tier))[0]
        assert reading.unread, name
    page = page_of(codec, ENGLISH, 2)
    assert not codec.decode(codec.encode([render(page.cells, page.layout, tier)], tier))[0].unread


def test_damaged_tokens_are_rejected(codec: Codec) -> None:
    blob = codec.encode([render(sample_page(codec).cells, codec.layout, "small")], "small")[0].to_bytes()
    for damaged in (blob[:-1], blob[:40], b"", blob[:200] + bytes([blob[200] ^ 1]) + blob[201:]):
        with pytest.raises(TokensError):
            VisionTokens.from_bytes(damaged)


def test_tokens_that_no_encoder_wrote_are_rejected(codec: NativeCodec) -> None:
    generator = np.random.default_rng(4)
    for tier in codec.tiers:
        tokens = codec.encode([render(sample_page(codec).cells, codec.layout, tier)], tier)[0]
        size = len(tokens.data)
        for data in (b"\0" * size, b"\xff" * size, *(generator.bytes(size) for _ in range(5))):
            with pytest.raises(TokensError, match="are invalid"):
                codec.decode([replace(tokens, data=data)])


@pytest.mark.slow
@pytest.mark.parametrize("pages", [1, 2])
def test_pages_are_encoded_by_threads_whose_products_are_not_split(
    codec: NativeCodec, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single page too, whose products were split among threads that waited for each other beside other work."""
    openmp = ThreadpoolController().select(user_api="openmp")
    seen: list[tuple[bool, list[int]]] = []
    write = PageStreams.write

    def watched(*arguments: Any) -> bytes:
        here = [library["num_threads"] for library in openmp.info()]
        seen.append((threading.current_thread().name.startswith("foxing-encode"), here))
        return write(*arguments)

    monkeypatch.setattr(PageStreams, "write", watched)
    codec.encode([render(sample_page(codec).cells, codec.layout, "base")] * pages, "base")
    assert [pooled for pooled, _ in seen] == [True] * pages
    assert all(set(threads) == {1} for _, threads in seen)


@pytest.mark.slow
def test_an_unread_page_stays_unread_when_drawn_again(codec: NativeCodec) -> None:
    for tier in ("base", "small", "tiny"):
        noise = codec.decode(codec.encode([non_pages(codec, tier)["noise"]], tier))[0]
        assert noise.unread
        again = codec.decode(codec.encode([render(noise.cells, codec.layout, tier)], tier))[0]
        assert again.unread


def test_tokens_of_other_weights_are_rejected(codec: Codec, tmp_path: Path) -> None:
    weights = load_weights(WEIGHTS_PATH)
    weights.model.encoder.glyphs.norm.weight.data *= 1.01
    path = tmp_path / "other.safetensors"
    save_weights(weights, path)
    other = NativeCodec.load(path, "cpu")
    tokens = other.encode([render(sample_page(codec, 2).cells, codec.layout, "small")], "small")
    with pytest.raises(TokensError, match="weights"):
        codec.decode(tokens)


def test_missing_and_invalid_weights_are_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match=r"no\.safetensors cannot be read"):
        NativeCodec.load(tmp_path / "no.safetensors", "cpu")
    (tmp_path / "bad.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(CodecError, match=r"bad\.safetensors cannot be read"):
        NativeCodec.load(tmp_path / "bad.safetensors", "cpu")


DEEP = "[" * 100_000 + "]" * 100_000
HOSTILE_METADATA = [
    *(("dims", text) for text in ("[]", "null", "{}", "NaN", DEEP)),
    *(("charset", text) for text in ("[]", "null", "{}", "1", DEEP)),
    *(("info", text) for text in ("[]", "null", '"x"', DEEP)),
]


@pytest.mark.parametrize(("field", "text"), HOSTILE_METADATA, ids=lambda value: value[:8])
def test_hostile_metadata_of_weights_is_an_error_of_the_codec(field: str, text: str, tmp_path: Path) -> None:
    header, content = _safetensors(WEIGHTS_PATH)
    header["__metadata__"][field] = text
    with pytest.raises(CodecError, match="does not fit the network it describes"):
        load_for_reading(_written(tmp_path, json.dumps(header).encode(), content))


def _other(**fields: Any) -> Callable[[dict[str, Any], str], None]:
    return lambda header, name: header[name].update(fields)


HOSTILE_TENSORS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "shape": _other(shape=[1 << 62, 1 << 62]),
    "negative shape": _other(shape=[-1, 4]),
    "dtype": _other(dtype="F128"),
    "other dtype": _other(dtype="F64"),
    "overlap": lambda header, name: header[name].update(data_offsets=[0, header[name]["data_offsets"][1]]),
    "negative offset": _other(data_offsets=[-8, 8]),
    "beyond the file": _other(data_offsets=[1 << 40, 1 << 41]),
    "missing": lambda header, name: header.pop(name),
}


@pytest.mark.parametrize("name", HOSTILE_TENSORS)
def test_hostile_tensors_of_weights_are_an_error_of_the_codec(name: str, tmp_path: Path) -> None:
    header, content = _safetensors(WEIGHTS_PATH)
    HOSTILE_TENSORS[name](header, max(key for key in header if key.startswith("prior.")))
    with pytest.raises(CodecError, match="cannot be read"):
        load_for_reading(_written(tmp_path, json.dumps(header).encode(), content))


@pytest.mark.parametrize("header", [b"", b"\xff\xfe", b'{"a":' + DEEP.encode() + b"}", b"null"])
def test_a_hostile_header_of_weights_is_an_error_of_the_codec(header: bytes, tmp_path: Path) -> None:
    for length in (None, 1 << 62, 200 << 20):
        with pytest.raises(CodecError, match="cannot be read"):
            load_for_reading(_written(tmp_path, header, b"", length))


def _safetensors(path: Path) -> tuple[dict[str, Any], bytes]:
    """Returns the header and the tensors of a file."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def _written(folder: Path, header: bytes, content: bytes, length: int | None = None) -> Path:
    path = folder / "weights.safetensors"
    path.write_bytes((len(header) if length is None else length).to_bytes(8, "little") + header + content)
    return path


def test_unknown_codecs_and_devices_name_the_setting() -> None:
    with pytest.raises(CodecError, match=r"unknown codec 'crystal-ball'; available: .*native") as caught:
        load_codec("crystal-ball")
    assert caught.value.settings == ("codec",)
    with pytest.raises(CodecError, match="choose 'auto' or 'cpu'") as caught:
        load_codec("native", "cuda:99")
    assert caught.value.settings == ("device",)


def test_loading_twice_returns_the_same_codec(codec: Codec) -> None:
    assert load_codec("native", "cpu") is codec


def test_an_empty_page_decodes_to_no_text(codec: Codec) -> None:
    cells = np.zeros((8, codec.layout.columns), dtype=np.uint32)
    for tier in codec.tiers:
        reading = codec.decode(codec.encode([render(cells, codec.layout, tier)], tier))[0]
        assert reading.text == ""


@pytest.mark.parametrize("rows", [17, 33])
def test_a_page_with_many_gaps_is_read_where_its_last_tokens_hold_one_row(rows: int) -> None:
    """The network took such pages for images that are none."""
    native = load_codec("native", "cpu")
    text = "".join(f"⋯ {n}時に駅で会いましょう ⋯ とても楽しかったです ⋯" for n in range(1, 200))
    gaps = frozenset(place for place, character in enumerate(text) if character == "⋯")
    entry = Entry("0", "user", text, datetime(2026, 1, 5, tzinfo=UTC), header=False, gaps=gaps)
    cells = Typesetter(native.layout, native.repertoire).page([entry]).cells[:rows]
    (reading,) = native.decode(native.encode([render(cells, native.layout, "micro")], "micro"))
    assert (reading.cells[:rows] != cells).mean() < 0.05
    assert np.isin(reading.cells[rows:], (BLANK, ord(" "))).all()
    assert (reading.confidence[rows:] > 0.99).all()
