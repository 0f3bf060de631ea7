"""The benchmark of a bank by tier."""

import json
from pathlib import Path

import pytest

from benchmarks.bank import main

SENTENCES = (
    "Could you look at the parser again? It drops the last line when the file does not end in a newline.",
    "Found it: the loop stops at the first empty part. I changed the condition and added a test for short files.",
    "Please also write to the warehouse that the delivery on 3 May is late by two days, and ask for a new date.",
    "She answers that it is fine if the pallets arrive before Whitsun; the invoice is already on its way to her.",
)
FIELDS = (
    *("language", "tier", "pages", "messages", "characters", "pages_per_second"),
    *("token_bits", "text_bits", "index_bits", "keepsake_bits", "metadata_bits", "total_bits", "zstd_bits"),
)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    messages = [{"role": "user", "content": sentence} for sentence in SENTENCES * 4]
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"id": "talk", "messages": messages}) + "\n", encoding="utf-8")
    return path


def test_a_row_for_each_tier_with_everything_the_bank_holds(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--texts", f"en={texts}", "--json"])
    rows = json.loads(capsys.readouterr().out)["bank"]
    assert [row["tier"] for row in rows] == ["base", "small", "tiny", "micro"]
    for row in rows:
        assert tuple(sorted(row)) == tuple(sorted(FIELDS))
        parts = ("token_bits", "text_bits", "index_bits", "keepsake_bits", "metadata_bits")
        assert row["total_bits"] == pytest.approx(sum(row[part] for part in parts))
        assert row["index_bits"] > 0
        assert (row["language"], row["pages"], row["messages"]) == ("en", 1, 16)
    assert [row["text_bits"] for row in rows] == [0, 0, 0, 0]  # exact text is read from the tokens


def test_unusable_texts_are_named(tmp_path: Path, texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="there is no file"):
        main(["--texts", str(tmp_path / "missing.jsonl")])
    with pytest.raises(SystemExit):
        main(["--texts", f"en={texts}", "--skip", "5"])
    assert "no page is left to measure" in capsys.readouterr().err
