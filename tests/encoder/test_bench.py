"""The codec benchmark: the pages it measures and the rows it reports."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from foxing.api.cli.main import app
from foxing.encoder import Codec, Reading, VisionTokens, load_codec
from foxing.encoder.bench import (
    AGEING_TIERS,
    DEVELOPMENT_PAGES,
    PageSet,
    calibration_error,
    characters,
    development,
    held_out,
    identifier_texts,
    load_texts,
    measure,
    measure_ageing,
    measure_characters,
    measure_speed,
    named_file,
    texts_of,
)
from foxing.encoder.bench.characters import readable_characters
from foxing.encoder.bench.comparison import GAP_MARK
from foxing.renderer import Page

SENTENCES = (
    "Could you look at the parser again? It drops the last line when the file does not end in a newline.",
    "Found it: the loop stops at the first empty part. I changed the condition and added a test for short files.",
    "Please also write to the warehouse that the delivery on 3 May is late by two days, and ask for a new date.",
    "She answers that it is fine if the pallets arrive before Whitsun; the invoice is already on its way to her.",
)
#: The first fields of a row, in order; more may follow.
FIELDS = (
    *("tier", "language", "pages", "characters", "accuracy", "vision_tokens", "text_tokens", "compression"),
    *("bits_per_character", "zstd_bits_per_character", "calibration_error", "flagged_share", "flagged_errors_share"),
    *("silent_errors_per_10k", "encode_ms", "decode_ms", "condition", "path", "kept_share", "kept_accuracy"),
    *("invented_per_million", "bytes_per_page", "ppmd_bits_per_character", "unread_pages"),
    *("invented_words_per_million", "words", "facts"),
)
ONE_PAGE, TWO_PAGES, EIGHT_PAGES = 130, 230, 900  # sentences


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec("native", "cpu")


@pytest.fixture(scope="module")
def short_texts(codec: Codec) -> PageSet:
    """A page with a few rows of English, cheap to decode."""
    return texts_of([document(8)], codec)


@pytest.fixture(scope="module")
def short_page(short_texts: PageSet) -> Page:
    return short_texts.pages[0]


def document(sentences: int, **fields: str) -> dict[str, Any]:
    messages = [
        {"role": "user" if number % 2 else "assistant", "content": f"{number}: {SENTENCES[number % len(SENTENCES)]}"}
        for number in range(sentences)
    ]
    return {"id": "talk", "messages": messages, **fields}


def write(path: Path, *documents: dict[str, Any]) -> Path:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(each) + "\n" for each in documents)
    return path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["codec", "bench", *arguments, "--json"])


def answer(*arguments: str) -> Any:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(("pages", "expected"), [(0, 0), (1, 0), (2, 1), (3, 1), (5, 2), (6, 3), (7, 3), (40, 3)])
def test_at_least_half_of_a_file_is_held_out(pages: int, expected: int) -> None:
    numbers = list(range(pages))
    assert len(development(numbers)) == expected <= DEVELOPMENT_PAGES
    assert [*development(numbers), *held_out(numbers)] == numbers


@pytest.mark.parametrize(
    ("sentences", "development_pages"), [(ONE_PAGE, 0), (TWO_PAGES, 1), (EIGHT_PAGES, DEVELOPMENT_PAGES)]
)
def test_held_out_pages_of_short_files_are_measured(
    codec: Codec, tmp_path: Path, sentences: int, development_pages: int
) -> None:
    path = write(tmp_path / "talk.jsonl.gz", document(sentences, lang="en"))

    def load(**options: int) -> list[str]:
        return [page.text for page in load_texts([(None, path)], codec, **options)["en"].pages]

    everything, kept = load(skip=0), load()
    assert kept == everything[development_pages:]
    assert kept
    assert load(limit=1) == kept[:1]


def test_texts_are_grouped_by_their_given_name(codec: Codec, tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.jsonl", document(ONE_PAGE, lang="en"))
    traces = write(tmp_path / "traces.jsonl", document(ONE_PAGE, lang="en"))
    odd = write(tmp_path / "a=b.jsonl", document(ONE_PAGE))
    assert named_file(str(odd)) == (None, odd)
    arguments = [str(plain), f"agent={traces}", f"agent={odd}"]
    groups = load_texts([named_file(argument) for argument in arguments], codec)
    assert {name: len(texts.pages) for name, texts in groups.items()} == {"en": 1, "agent": 2}
    on_page = {span.message_id for span in groups["en"].pages[0].placements}
    assert {message.message_id for message in groups["en"].messages} == on_page


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "holds no messages"), ("{}\n", "not a document with messages"), (None, "there is no file")],
)
def test_unusable_texts_are_reported(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "talk.jsonl"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    result = run("--texts", f"agent={path}")
    assert result.exit_code == 1
    assert reason in json.loads(result.stderr)["detail"]


def test_identifier_pages_are_dense_reproducible_and_hold_only_identifiers(codec: Codec) -> None:
    texts = identifier_texts(codec, 2)
    assert [page.rows_used for page in texts.pages] == [codec.layout.rows] * 2
    assert [page.text for page in texts.pages] == [page.text for page in identifier_texts(codec, 2).pages]
    for message in texts.messages:
        assert set(message.content) <= set("0123456789abcdef-. ")


@pytest.mark.slow
def test_rows_start_with_the_documented_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.jsonl", document(ONE_PAGE))
    rows = answer("--texts", f"agent={path}", "--tier", "tiny", "--identifiers", "1")["rows"]
    assert [(row["tier"], row["language"]) for row in rows] == [("tiny", "agent"), ("tiny", "identifiers")]
    for row in rows:
        assert tuple(row)[: len(FIELDS)] == FIELDS
        assert row["compression"] == row["text_tokens"] / row["vision_tokens"]
        assert row["unread_pages"] == 0
    agent, identifiers = rows
    assert agent["words"] > 0.4
    assert agent["facts"] == 1
    assert 0 < identifiers["facts"] < 1


@pytest.mark.slow
def test_every_kind_of_character_has_a_row(codec: Codec) -> None:
    rows = {row.kind: row for row in measure_characters(codec, ("base",))}
    counted = {kind: rows[kind].characters for kind in ("ASCII", "Hangul syllables", "ideographs of GB 2312")}
    assert counted == {"ASCII": 94, "Hangul syllables": 11_172, "ideographs of GB 2312": 6_763}
    assert rows["ideographs of JIS X 0208"].characters == 6_355
    assert 10 < rows["Greek"].lookalikes < rows["Greek"].characters
    assert rows["Hangul syllables"].lookalikes == 0
    for row in rows.values():
        assert row.tier == "base"
        assert 0.93 < row.accuracy <= 1
        assert (row.accuracy == 1) == (row.wrong == "")
        assert len(row.wrong) <= min(40, row.characters)


@pytest.mark.slow
def test_misread_characters_are_listed(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = "".join(c for c in map(chr, range(128)) if c in readable_characters(codec))
    monkeypatch.setattr(characters, "readable_characters", lambda _: letters)

    class Blind:
        """Reads each Q as an O and each R as a gap, with full confidence."""

        def __getattr__(self, name: str) -> Any:
            return getattr(codec, name)

        def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
            readings = codec.decode(tokens)
            return [
                replace(
                    reading,
                    cells=np.select(
                        [reading.cells == ord("Q"), reading.cells == ord("R")],
                        [np.uint32(ord("O")), np.uint32(ord(GAP_MARK))],
                        reading.cells,
                    ),
                    confidence=np.ones_like(reading.confidence),
                )
                for reading in readings
            ]

    blind: Any = Blind()
    row = next(row for row in measure_characters(blind, ("large",)) if row.kind == "ASCII")
    assert {"Q", "R"} <= set(row.wrong)
    assert row.flagged_errors_share == 1 / len(row.wrong)  # a gap says itself that something is missing
    assert row.accuracy == 1 - len(row.wrong) / (94 - row.lookalikes)
    assert row.to_dict()["lookalikes"] == row.lookalikes


@pytest.mark.slow
def test_ageing_is_measured_through_decoded_text(codec: Codec, short_texts: PageSet) -> None:
    rows = list(measure_ageing(codec, short_texts, "en"))
    assert [row.tier for row in rows] == list(AGEING_TIERS[1:])
    assert {row.path for row in rows} == {"aged"}
    assert rows[0].accuracy > 0.9
    # where base reads without an error, small loses nothing by ageing
    direct = measure(codec, short_texts, "small", "en")
    if measure(codec, short_texts, "base", "en").kept_accuracy == 1:
        assert rows[0].accuracy == direct.accuracy


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    right = np.array([True] * 9 + [False])
    assert calibration_error(right, np.full(10, 0.9)) == pytest.approx(0)
    assert calibration_error(right, np.full(10, 0.4)) == pytest.approx(0.5)


@pytest.mark.slow
def test_speed_is_measured_at_each_tier(codec: Codec, short_texts: PageSet) -> None:
    speed = measure_speed(codec, short_texts, ["small"], "cpu").to_dict()
    assert speed["load_ms"] > 0
    assert [tier["tier"] for tier in speed["tiers"]] == ["small"]
